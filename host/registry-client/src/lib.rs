//! A client of OCI registries (distribution-spec 1.1) for transfers that survive restarts and cut connections.
