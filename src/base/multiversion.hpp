// One portable binary, hot loops compiled for several instruction sets and chosen when it starts.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
/// Put before the definition of a function that is one plain loop over arrays.
#define FLEET_MULTIVERSION __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FLEET_MULTIVERSION
#endif
