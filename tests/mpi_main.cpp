// Runs the same tests on every rank; the program fails when any rank fails. Only the root prints, unless another rank
// has something to complain of.
#include <gtest/gtest.h>

#include "base/blas.hpp"
#include "comm/comm.hpp"

int main(int argc, char** argv) {
  fleet::ensure_fast_blas(argv);
  testing::InitGoogleTest(&argc, argv);
  const fleet::MpiSession session(argc, argv);
  const fleet::Comm world = fleet::MpiSession::world();
  testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
  if (!world.is_root()) {
    // Failures print themselves to standard output through the default printer; keep only those.
    struct FailuresOnly : testing::EmptyTestEventListener {
      void OnTestPartResult(const testing::TestPartResult& result) override {
        if (result.failed()) {
          std::cerr << result.file_name() << ':' << result.line_number() << ": " << result.message() << std::endl;
        }
      }
    };
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailuresOnly);
  }
  return static_cast<int>(world.max(RUN_ALL_TESTS()));
}
