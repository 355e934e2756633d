#include "comm/stop_notice.hpp"

#include <exception>
#include <utility>

namespace fleet {
namespace {

constexpr int kStopTag = 1;
constexpr double kSecondsBetweenLooks = 1e-3;

}  // namespace

StopNotice::StopNotice(const Comm& run, std::function<bool()> local) : comm_(run.handle()), local_(std::move(local)) {}

StopNotice::~StopNotice() {
  if (std::uncaught_exceptions() > 0) return;
  while (told_by_neighbour()) {
  }
  MPI_Waitall(static_cast<int>(sent_.size()), sent_.data(), MPI_STATUSES_IGNORE);
}

bool StopNotice::requested() {
  if (known_) return true;
  known_ = local_();
  if (!known_ && since_look_.seconds() >= kSecondsBetweenLooks) {
    since_look_.lap();
    known_ = told_by_neighbour();
  }
  if (known_) tell_neighbours();
  return known_;
}

bool StopNotice::told_by_neighbour() {
  int there = 0;
  MPI_Status status;
  check_mpi(MPI_Iprobe(MPI_ANY_SOURCE, kStopTag, comm_.handle(), &there, &status), "MPI_Iprobe");
  if (there == 0) return false;
  check_mpi(MPI_Recv(nullptr, 0, MPI_BYTE, status.MPI_SOURCE, kStopTag, comm_.handle(), MPI_STATUS_IGNORE), "MPI_Recv");
  return true;
}

void StopNotice::tell_neighbours() {
  for (int bit = 1; bit < comm_.size(); bit <<= 1) {
    const int neighbour = comm_.rank() ^ bit;
    if (neighbour >= comm_.size()) continue;
    MPI_Request& request = sent_.emplace_back();
    check_mpi(MPI_Isend(nullptr, 0, MPI_BYTE, neighbour, kStopTag, comm_.handle(), &request), "MPI_Isend");
  }
}

}  // namespace fleet
