// Waiting for other ranks without holding a core that they may need.
//
// MPI's own calls wait in a loop that never sleeps. That is quickest where every rank has its core; where it has not,
// the ranks that wait take the time of those that they wait for. So every call is begun without blocking, and its
// request is tested: without a pause at first, then after sleeps that are short beside the time waited so far.
#pragma once

#include <mpi.h>

#include <functional>

#include "comm/comm.hpp"

namespace fleet {

/// Waits until `request`, which `call` has begun, is done. `meanwhile` is called between tests, if there is one. Error
/// naming the call.
void wait_politely(MPI_Request& request, const char* call, const std::function<void()>& meanwhile = nullptr);

/// The same of a call that begin(&request) begins; it returns MPI's code.
template <class Begin>
void finish(const char* call, const Begin& begin, const std::function<void()>& meanwhile = nullptr) {
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(begin(&request), call);
  wait_politely(request, call, meanwhile);
}

/// Lets this process sleep for as short as it asks, rather than for 50 microseconds at least, where the system offers
/// that.
void allow_short_sleeps();

}  // namespace fleet
