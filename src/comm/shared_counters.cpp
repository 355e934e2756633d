#include "comm/shared_counters.hpp"

#include <algorithm>
#include <exception>

namespace fleet {
namespace {

constexpr int kHome = 0;

}  // namespace

SharedCounters::SharedCounters(const Comm& comm, std::size_t count) {
  std::int64_t* values = nullptr;
  const std::size_t local = comm.rank() == kHome ? count : 0;
  check_mpi(MPI_Win_allocate(static_cast<MPI_Aint>(local * sizeof(std::int64_t)), sizeof(std::int64_t), MPI_INFO_NULL,
                             comm.handle(), static_cast<void*>(&values), &window_),
            "MPI_Win_allocate");
  check_mpi(MPI_Win_lock_all(0, window_), "MPI_Win_lock_all");
  std::fill_n(values, local, 0);
  check_mpi(MPI_Win_sync(window_), "MPI_Win_sync");
  comm.barrier();
}

SharedCounters::~SharedCounters() {
  if (std::uncaught_exceptions() > 0) return;  // freeing is collective
  MPI_Win_unlock_all(window_);
  MPI_Win_free(&window_);
}

std::int64_t SharedCounters::fetch(std::size_t counter, std::int64_t amount, MPI_Op operation) const {
  std::int64_t before = 0;
  check_mpi(MPI_Fetch_and_op(&amount, &before, MPI_INT64_T, kHome, static_cast<MPI_Aint>(counter), operation, window_),
            "MPI_Fetch_and_op");
  check_mpi(MPI_Win_flush(kHome, window_), "MPI_Win_flush");
  return before;
}

std::int64_t SharedCounters::read(std::size_t counter) const {
  return fetch(counter, 0, MPI_NO_OP);
}

std::int64_t SharedCounters::add(std::size_t counter, std::int64_t amount) const {
  return fetch(counter, amount, MPI_SUM);
}

}  // namespace fleet
