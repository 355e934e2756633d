// Tests run on the kernels that `fleet` runs on.
#include <gtest/gtest.h>

#include "base/blas.hpp"

int main(int argc, char** argv) {
  fleet::ensure_fast_blas(argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
