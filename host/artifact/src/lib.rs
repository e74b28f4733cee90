//! What a layer of an artifact holds, both ways: directories become reproducible archives, and archives are unpacked
//! without leaving their directory.
