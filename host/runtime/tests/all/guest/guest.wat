;; A guest for tests, as a core module: `mod.rs` makes a component of it. It speaks the canonical ABI
;; by hand, so that it is small and does exactly what a test needs.
;;
;; The first byte of the primary, of the review or of the settings is a command. The commands stand
;; in a data segment, where tests exchange them to make versions that behave differently:
;;
;;   l  loops for ever            p  panics
;;   g  takes memory for ever     r  recurses for ever
;;   e  answers with an error     k  takes 10 MiB of memory and keeps it
;;   s  followed by digits: spins that many times
;;
;; Any other text is good. A good plan applies the primary itself, has the status "hello", and
;; `requeue-after` says how many calls this instance has answered. A good review is allowed.
(module
  (memory (export "memory") 2)

  ;; What `describe` says.
  (data (i32.const 64) "lab.example.com/v1")
  (data (i32.const 96) "Note")
  (data (i32.const 104) "notes")
  (data (i32.const 112) "v1")
  (data (i32.const 120) "ConfigMap")
  (data (i32.const 136) "configmaps")
  (data (i32.const 152) "tester")
  (data (i32.const 160) "/spec/box")
  (data (i32.const 176) "commands:lpgreks")
  (data (i32.const 192) "hello")
  ;; The description: primary, owned, related, field manager, admission, sensitive.
  (data (i32.const 256)
    "\40\00\00\00\12\00\00\00" "\60\00\00\00\04\00\00\00" "\68\00\00\00\05\00\00\00" "\01\00\00\00"
    "\60\01\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00" "\98\00\00\00\06\00\00\00"
    "\00\00\00\00\00\00\00\00" "\58\01\00\00\01\00\00\00")
  ;; The list of sensitive pointers.
  (data (i32.const 344) "\a0\00\00\00\09\00\00\00")
  ;; The list of owned kinds: ConfigMap of v1, whole and required.
  (data (i32.const 352)
    "\70\00\00\00\02\00\00\00" "\78\00\00\00\09\00\00\00" "\88\00\00\00\0a\00\00\00" "\01\00\00\00")

  ;; Where results are returned, and the list of applied objects.
  (global $result i32 (i32.const 512))
  (global $applied i32 (i32.const 640))
  ;; Memory for arguments: everything from here on, given back after each call.
  (global $heap i32 (i32.const 1024))
  (global $next (mut i32) (i32.const 1024))
  (global $calls (mut i32) (i32.const 0))

  (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and
      (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (block $enough
      (br_if $enough (i32.le_u (global.get $next) (i32.shl (memory.size) (i32.const 16))))
      (br_if $enough (i32.ne (i32.const -1) (memory.grow
        (i32.add (i32.const 1) (i32.shr_u (local.get $size) (i32.const 16))))))
      unreachable)
    (memory.copy (local.get $at) (local.get $old) (local.get $old_size))
    (local.get $at))

  (func $release (export "cabi_post_orascache:operator/reconciler@0.3.0#reconcile")
    (export "cabi_post_orascache:operator/admission@0.3.0#review")
    (export "cabi_post_orascache:operator/admission@0.3.0#check-settings")
    (param i32)
    (global.set $next (global.get $heap)))

  (func $recurse (param $depth i32) (result i32)
    (i32.add (i32.const 1) (call $recurse (i32.add (local.get $depth) (i32.const 1)))))

  (func $spin (param $at i32) (param $end i32)
    (local $count i32)
    (block $parsed
      (loop $digits
        (br_if $parsed (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $count (i32.add
          (i32.mul (local.get $count) (i32.const 10))
          (i32.sub (i32.load8_u (local.get $at)) (i32.const 48))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $digits)))
    (block $done
      (loop $spins
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $spins))))

  ;; Whether the first byte of a text is a command.
  (func $is (param $byte i32) (param $command i32) (result i32)
    (i32.eq (local.get $byte) (i32.load8_u (i32.add (i32.const 185) (local.get $command)))))

  ;; Carries the command of a text out, and clears the result. True when the answer is an error.
  (func $obey (param $text i32) (param $length i32) (result i32)
    (local $byte i32)
    (memory.fill (global.get $result) (i32.const 0) (i32.const 160))
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (if (i32.eqz (local.get $length)) (then (return (i32.const 0))))
    (local.set $byte (i32.load8_u (local.get $text)))
    (if (call $is (local.get $byte) (i32.const 0)) (then (loop $for_ever (br $for_ever))))
    (if (call $is (local.get $byte) (i32.const 1)) (then unreachable))
    (if (call $is (local.get $byte) (i32.const 2))
      (then (loop $for_ever (drop (memory.grow (i32.const 16))) (br $for_ever))))
    (if (call $is (local.get $byte) (i32.const 3)) (then (drop (call $recurse (i32.const 0)))))
    (if (call $is (local.get $byte) (i32.const 5)) (then (drop (memory.grow (i32.const 160)))))
    (if (call $is (local.get $byte) (i32.const 6))
      (then (call $spin
        (i32.add (local.get $text) (i32.const 1))
        (i32.add (local.get $text) (local.get $length)))))
    (call $is (local.get $byte) (i32.const 4)))

  ;; The result is `invalid-input` with that text.
  (func $refuse (param $text i32) (param $length i32) (result i32)
    (i32.store8 (global.get $result) (i32.const 1))
    (i32.store offset=8 (global.get $result) (local.get $text))
    (i32.store offset=12 (global.get $result) (local.get $length))
    (global.get $result))

  (func (export "orascache:operator/reconciler@0.3.0#describe") (result i32)
    (i32.const 256))

  ;; `observed` has too many fields for parameters of their own; the primary is the first.
  (func (export "orascache:operator/reconciler@0.3.0#reconcile") (param $observed i32) (result i32)
    (local $text i32) (local $length i32)
    (local.set $text (i32.load (local.get $observed)))
    (local.set $length (i32.load offset=4 (local.get $observed)))
    (if (call $obey (local.get $text) (local.get $length))
      (then (return (call $refuse (local.get $text) (local.get $length)))))
    (i32.store (global.get $applied) (local.get $text))
    (i32.store offset=4 (global.get $applied) (local.get $length))
    ;; apply
    (i32.store offset=12 (global.get $result) (global.get $applied))
    (i32.store offset=16 (global.get $result) (i32.const 1))
    ;; status
    (i32.store8 offset=36 (global.get $result) (i32.const 1))
    (i32.store offset=40 (global.get $result) (i32.const 192))
    (i32.store offset=44 (global.get $result) (i32.const 5))
    ;; requeue-after
    (i32.store8 offset=64 (global.get $result) (i32.const 1))
    (i32.store offset=68 (global.get $result) (global.get $calls))
    (global.get $result))

  ;; The parameters are the review, and the fields of the context.
  (func (export "orascache:operator/admission@0.3.0#review")
    (param $text i32) (param $length i32)
    (param i32 i32) (param i32) (param i32 i32) (param i32 i32) (param i64)
    (result i32)
    (if (call $obey (local.get $text) (local.get $length))
      (then (return (call $refuse (local.get $text) (local.get $length)))))
    (global.get $result))

  (func (export "orascache:operator/admission@0.3.0#check-settings") (param $text i32) (param $length i32) (result i32)
    (if (call $obey (local.get $text) (local.get $length))
      (then (return (call $refuse (local.get $text) (local.get $length)))))
    (global.get $result))
)
