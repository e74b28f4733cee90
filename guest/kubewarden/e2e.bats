#!/usr/bin/env bats
# The policy in kwctl. Without a cluster every look-up fails, so that caches are assumed to exist:
# `make e2e-tests`, or POLICY=FILE bats e2e.bats.

setup() {
  POLICY=${POLICY:-../../target/wasm32-unknown-unknown/guest/orascache_kubewarden.wasm}
}

@test "the module has the metadata that a policy server reads" {
  run kwctl inspect "$POLICY"
  echo "output = ${output}"
  [ "$status" -eq 0 ]
  [[ "$output" == *orascache-steps* ]]
  [[ "$output" == *kubernetes/get_resource* ]]
}

@test "a step is rewritten, and a cache that cannot be looked up is assumed" {
  run kwctl run "$POLICY" --request-path test_data/pod.json
  echo "output = ${output}"
  [ "$status" -eq 0 ]
  [[ "$output" == *'"allowed":true'* ]]
  [[ "$output" == *'"patchType":"JSONPatch"'* ]]
  [[ "$output" == *'it is assumed to exist'* ]]
}

@test "a Job hands its annotations to its pods" {
  run kwctl run "$POLICY" --request-path test_data/job.json
  echo "output = ${output}"
  [ "$status" -eq 0 ]
  [[ "$output" == *'"allowed":true'* ]]
  [[ "$output" == *'"patch":'* ]]
}

@test "a misspelt annotation is refused with a sentence" {
  run kwctl run "$POLICY" --request-path test_data/pod-misspelt.json
  echo "output = ${output}"
  [ "$status" -eq 0 ]
  [[ "$output" == *'"allowed":false'* ]]
  [[ "$output" == *'"code":422'* ]]
}

@test "a cache that is larger than allowed is refused" {
  run kwctl run "$POLICY" --request-path test_data/cache.json --settings-path test_data/settings.json
  echo "output = ${output}"
  [ "$status" -eq 0 ]
  [[ "$output" == *'"allowed":false'* ]]
  [[ "$output" == *'spec.storage.size'* ]]
}

@test "settings that cannot be used are refused" {
  run kwctl run "$POLICY" --request-path test_data/pod.json --settings-json '{"maximumStorage": 3}'
  echo "output = ${output}"
  [ "$status" -ne 0 ]
  [[ "$output" == *'must be a string, not a number'* ]]
}
