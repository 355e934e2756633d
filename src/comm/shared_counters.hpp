// Whole numbers that every rank may read and change at any time, without anybody waiting for anybody.
#pragma once

#include <mpi.h>

#include <cstdint>

#include "comm/comm.hpp"

namespace fleet {

/// `count` numbers, all 0 at first, in the memory of the root of `comm` (one-sided communication: the root need not
/// take notice, beyond calling MPI now and then where the network asks for it). Each operation is atomic.
class SharedCounters {
 public:
  /// Collective, as is the end.
  SharedCounters(const Comm& comm, std::size_t count);
  SharedCounters(const SharedCounters&) = delete;
  SharedCounters& operator=(const SharedCounters&) = delete;
  ~SharedCounters();

  [[nodiscard]] std::int64_t read(std::size_t counter) const;
  /// Adds `amount` and returns what there was before.
  std::int64_t add(std::size_t counter, std::int64_t amount) const;

 private:
  std::int64_t fetch(std::size_t counter, std::int64_t amount, MPI_Op operation) const;

  MPI_Win window_ = MPI_WIN_NULL;
};

}  // namespace fleet
