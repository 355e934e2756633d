#include "comm/polite_wait.hpp"

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/stopwatch.hpp"

namespace fleet {
namespace {

constexpr double kAwake = 30e-6;          // seconds without a sleep: as long as a message takes to another core
constexpr double kShare = 1.0 / 32;       // of the time waited, that a sleep takes: at most what is lost by waking late
constexpr double kShortestSleep = 10e-6;  // seconds
constexpr double kLongestSleep = 1e-3;

}  // namespace

void wait_politely(MPI_Request& request, const char* call, const std::function<void()>& meanwhile) {
  const Stopwatch waiting;
  for (;;) {
    int done = 0;
    check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), call);
    if (done != 0) return;
    if (meanwhile) meanwhile();
    const double waited = waiting.seconds();
    if (waited < kAwake) continue;
    std::this_thread::sleep_for(
        std::chrono::duration<double>(std::clamp(kShare * waited, kShortestSleep, kLongestSleep)));
  }
}

void allow_short_sleeps() {
#ifdef __linux__
  constexpr unsigned long kNanoseconds = 1000;
  prctl(PR_SET_TIMERSLACK, kNanoseconds);
#endif
}

}  // namespace fleet
