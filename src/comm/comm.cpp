#include "comm/comm.hpp"

#include <algorithm>
#include <climits>
#include <cstdio>
#include <exception>
#include <numeric>
#include <utility>

#include "base/error.hpp"
#include "base/stopwatch.hpp"

namespace fleet {
namespace {

int count_of(std::size_t elements) {
  require(elements <= INT_MAX, "a message of ", elements, " elements exceeds MPI's limit of ", INT_MAX);
  return static_cast<int>(elements);
}

/// Where each rank's part begins in a concatenation; the last entry is its length.
std::vector<int> offsets_of(const std::vector<int>& counts) {
  std::vector<int> offsets(counts.size() + 1, 0);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    offsets[i + 1] = count_of(static_cast<std::size_t>(offsets[i]) + static_cast<std::size_t>(counts[i]));
  }
  return offsets;
}

std::vector<int> gather_counts(int local, MPI_Comm comm, int size) {
  std::vector<int> counts(static_cast<std::size_t>(size));
  check_mpi(MPI_Allgather(&local, 1, MPI_INT, counts.data(), 1, MPI_INT, comm), "MPI_Allgather");
  return counts;
}

}  // namespace

void check_mpi(int code, std::string_view call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw Error(cat(call, ": ", std::string_view(text, static_cast<std::size_t>(length))));
}

Comm::Comm(MPI_Comm owned, std::function<bool()> stop_requested)
    : handle_(owned), stop_requested_(std::move(stop_requested)) {
  check_mpi(MPI_Comm_rank(handle_, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(handle_, &size_), "MPI_Comm_size");
}

Comm::Comm(MPI_Comm source)
    : Comm(
          [source] {
            MPI_Comm duplicate = MPI_COMM_NULL;
            check_mpi(MPI_Comm_dup(source, &duplicate), "MPI_Comm_dup");
            MPI_Comm_set_errhandler(duplicate, MPI_ERRORS_RETURN);
            return duplicate;
          }(),
          nullptr) {}

Comm::Comm(Comm&& other) noexcept
    : handle_(std::exchange(other.handle_, MPI_COMM_NULL)),
      rank_(other.rank_),
      size_(other.size_),
      stop_requested_(std::move(other.stop_requested_)),
      bytes_moved_(other.bytes_moved_),
      seconds_waited_(other.seconds_waited_) {}

Comm::~Comm() {
  // MPI_Comm_free is collective: while an exception unwinds on this rank alone it could hang.
  if (handle_ != MPI_COMM_NULL && std::uncaught_exceptions() == 0) MPI_Comm_free(&handle_);
}

Comm Comm::split(int color) const {
  MPI_Comm part = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(handle_, color, rank_, &part), "MPI_Comm_split");
  return {part, stop_requested_};
}

Comm Comm::node() const {
  MPI_Comm part = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(handle_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &part), "MPI_Comm_split_type");
  return {part, stop_requested_};
}

void Comm::barrier() const {
  check_mpi(MPI_Barrier(handle_), "MPI_Barrier");
}

void Comm::broadcast(std::span<float> data, int root) const {
  check_mpi(MPI_Bcast(data.data(), count_of(data.size()), MPI_FLOAT, root, handle_), "MPI_Bcast");
  bytes_moved_ += data.size_bytes();
}

void Comm::broadcast(std::span<double> data, int root) const {
  check_mpi(MPI_Bcast(data.data(), count_of(data.size()), MPI_DOUBLE, root, handle_), "MPI_Bcast");
  bytes_moved_ += data.size_bytes();
}

void Comm::broadcast(std::string& text, int root) const {
  std::int64_t length = static_cast<std::int64_t>(text.size());
  check_mpi(MPI_Bcast(&length, 1, MPI_INT64_T, root, handle_), "MPI_Bcast");
  text.resize(static_cast<std::size_t>(length));
  check_mpi(MPI_Bcast(text.data(), count_of(text.size()), MPI_CHAR, root, handle_), "MPI_Bcast");
}

std::vector<double> Comm::all_gather(std::span<const double> local) const {
  const std::vector<int> counts = gather_counts(count_of(local.size()), handle_, size_);
  const std::vector<int> offsets = offsets_of(counts);
  std::vector<double> all(static_cast<std::size_t>(offsets.back()));
  check_mpi(MPI_Allgatherv(local.data(), count_of(local.size()), MPI_DOUBLE, all.data(), counts.data(), offsets.data(),
                           MPI_DOUBLE, handle_),
            "MPI_Allgatherv");
  bytes_moved_ += all.size() * sizeof(double);
  return all;
}

std::vector<std::string> Comm::all_gather(const std::string& local) const {
  const std::vector<int> counts = gather_counts(count_of(local.size()), handle_, size_);
  const std::vector<int> offsets = offsets_of(counts);
  std::string all(static_cast<std::size_t>(offsets.back()), '\0');
  check_mpi(MPI_Allgatherv(local.data(), count_of(local.size()), MPI_CHAR, all.data(), counts.data(), offsets.data(),
                           MPI_CHAR, handle_),
            "MPI_Allgatherv");
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    parts.push_back(all.substr(static_cast<std::size_t>(offsets[i]), static_cast<std::size_t>(counts[i])));
  }
  return parts;
}

std::vector<float> Comm::gather(std::span<const float> local, int root) const {
  const std::vector<int> counts = gather_counts(count_of(local.size()), handle_, size_);
  const std::vector<int> offsets = offsets_of(counts);
  std::vector<float> all(rank_ == root ? static_cast<std::size_t>(offsets.back()) : 0);
  check_mpi(MPI_Gatherv(local.data(), count_of(local.size()), MPI_FLOAT, all.data(), counts.data(), offsets.data(),
                        MPI_FLOAT, root, handle_),
            "MPI_Gatherv");
  bytes_moved_ += std::max(local.size_bytes(), all.size() * sizeof(float));
  return all;
}

double Comm::max(double value) const {
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_MAX, handle_), "MPI_Allreduce");
  return value;
}

std::int64_t Comm::sum(std::int64_t value) const {
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_INT64_T, MPI_SUM, handle_), "MPI_Allreduce");
  return value;
}

void Comm::ordered_sum(std::span<const Term> terms, std::span<float> result, double scale) const {
  constexpr std::size_t kBlock = std::size_t{1} << 15U;  // 256 KiB of doubles in flight
  constexpr int kTag = 1;
  for (const Term& term : terms) {
    require(term.row.size() == result.size(), "ordered_sum: a row of ", term.row.size(), " numbers where ",
            result.size(), " were expected");
  }
  std::vector<double> partial(std::min(kBlock, result.size()));
  for (std::size_t begin = 0; begin < result.size(); begin += kBlock) {
    const std::size_t length = std::min(kBlock, result.size() - begin);
    const int count = static_cast<int>(length);
    if (rank_ == 0) {
      std::fill_n(partial.begin(), length, 0.0);
    } else {
      check_mpi(MPI_Recv(partial.data(), count, MPI_DOUBLE, rank_ - 1, kTag, handle_, MPI_STATUS_IGNORE), "MPI_Recv");
    }
    for (const Term& term : terms) {
      const float* row = term.row.data() + begin;
      for (std::size_t i = 0; i < length; ++i) partial[i] += term.weight * static_cast<double>(row[i]);
    }
    if (rank_ + 1 < size_) {
      check_mpi(MPI_Send(partial.data(), count, MPI_DOUBLE, rank_ + 1, kTag, handle_), "MPI_Send");
      bytes_moved_ += length * sizeof(double);
    } else {
      for (std::size_t i = 0; i < length; ++i) {
        result[begin + i] = static_cast<float>(partial[i] * scale);
      }
    }
  }
  broadcast(result, size_ - 1);
}

void Comm::together(const std::function<void()>& work) const {
  enum Verdict : int { kFine = 0, kStop = 1, kFailed = 2, kMisconfigured = 3 };
  std::string message;
  int verdict = kFine;
  try {
    work();
  } catch (const ConfigError& error) {
    message = error.what();
    verdict = kMisconfigured;
  } catch (const Error& error) {
    message = error.what();
    verdict = kFailed;
  } catch (const Interrupted&) {
    verdict = kStop;
  }
  if (verdict == kFine && stop_requested()) verdict = kStop;
  const Stopwatch waiting;
  int worst = verdict;
  check_mpi(MPI_Allreduce(&verdict, &worst, 1, MPI_INT, MPI_MAX, handle_), "MPI_Allreduce");
  seconds_waited_ += waiting.seconds();
  if (worst == kStop) throw Interrupted();
  if (worst == kFine) return;
  for (const std::string& reason : all_gather(verdict == worst ? message : "")) {
    if (reason.empty()) continue;
    if (worst == kMisconfigured) throw ConfigError(reason);
    throw SharedError(reason, is_root());
  }
}

void Comm::set_stop_request(std::function<bool()> stop_requested) {
  stop_requested_ = std::move(stop_requested);
}

MpiSession::MpiSession(int& argc, char**& argv) : exceptions_at_start_(std::uncaught_exceptions()) {
  // Funneled: LibTorch and BLAS may have threads of their own, but only this one calls MPI.
  int provided = MPI_THREAD_SINGLE;
  check_mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
}

MpiSession::~MpiSession() {
  if (std::uncaught_exceptions() == exceptions_at_start_) MPI_Finalize();
}

void abort_run(std::string_view message, int exit_code) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  std::fprintf(stderr, "fleet: rank %d: %.*s\n", rank, static_cast<int>(message.size()), message.data());
  std::fflush(stderr);
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::abort();
}

std::string mpi_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string_view version(text, static_cast<std::size_t>(std::max(length, 0)));
  return std::string(version.substr(0, version.find(',')));
}

}  // namespace fleet
