#include "comm/comm.hpp"

#include <algorithm>
#include <climits>
#include <cstdio>
#include <exception>
#include <numeric>
#include <utility>

#include "base/error.hpp"
#include "base/stopwatch.hpp"
#include "comm/gather.hpp"
#include "comm/polite_wait.hpp"
#include "comm/tree_sum.hpp"

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
  finish("MPI_Ibarrier", [&](MPI_Request* request) { return MPI_Ibarrier(handle_, request); });
}

void Comm::broadcast(std::span<float> data, int root) const {
  finish("MPI_Ibcast", [&](MPI_Request* request) {
    return MPI_Ibcast(data.data(), count_of(data.size()), MPI_FLOAT, root, handle_, request);
  });
  bytes_moved_ += data.size_bytes();
}

void Comm::broadcast(std::span<double> data, int root) const {
  finish("MPI_Ibcast", [&](MPI_Request* request) {
    return MPI_Ibcast(data.data(), count_of(data.size()), MPI_DOUBLE, root, handle_, request);
  });
  bytes_moved_ += data.size_bytes();
}

void Comm::broadcast(std::string& text, int root) const {
  std::int64_t length = static_cast<std::int64_t>(text.size());
  finish("MPI_Ibcast",
         [&](MPI_Request* request) { return MPI_Ibcast(&length, 1, MPI_INT64_T, root, handle_, request); });
  text.resize(static_cast<std::size_t>(length));
  constexpr std::size_t kPart = std::size_t{1} << 30U;  // MPI counts in int
  for (std::size_t begin = 0; begin < text.size(); begin += kPart) {
    const std::size_t part = std::min(kPart, text.size() - begin);
    finish("MPI_Ibcast", [&](MPI_Request* request) {
      return MPI_Ibcast(text.data() + begin, count_of(part), MPI_CHAR, root, handle_, request);
    });
  }
}

std::vector<double> Comm::all_gather(std::span<const double> local) const {
  std::vector<double> all = gather_elements(*this, local).all;
  bytes_moved_ += all.size() * sizeof(double);
  return all;
}

std::vector<std::string> Comm::all_gather(const std::string& local) const {
  const Gathered<char> gathered = gather_elements(*this, std::span<const char>(local));
  std::vector<std::string> parts;
  const char* begin = gathered.all.data();
  for (const std::size_t count : gathered.counts) {
    parts.emplace_back(begin, count);
    begin += count;
  }
  return parts;
}

std::vector<float> Comm::gather(std::span<const float> local, int root) const {
  const std::vector<int> counts = gather_numbers(*this, count_of(local.size()));
  const std::vector<int> offsets = offsets_of(counts);
  std::vector<float> all(rank_ == root ? static_cast<std::size_t>(offsets.back()) : 0);
  finish("MPI_Igatherv", [&](MPI_Request* request) {
    return MPI_Igatherv(local.data(), count_of(local.size()), MPI_FLOAT, all.data(), counts.data(), offsets.data(),
                        MPI_FLOAT, root, handle_, request);
  });
  bytes_moved_ += std::max(local.size_bytes(), all.size() * sizeof(float));
  return all;
}

double Comm::max(double value) const {
  finish("MPI_Iallreduce", [&](MPI_Request* request) {
    return MPI_Iallreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_MAX, handle_, request);
  });
  return value;
}

std::int64_t Comm::sum(std::int64_t value) const {
  finish("MPI_Iallreduce", [&](MPI_Request* request) {
    return MPI_Iallreduce(MPI_IN_PLACE, &value, 1, MPI_INT64_T, MPI_SUM, handle_, request);
  });
  return value;
}

template <typename Real>
void Comm::sum_in_order(std::span<const WeightedRow<Real>> terms, std::span<Real> result, double scale) const {
  // Of a message. TCP sends 64 KiB, of which MPI takes some for itself, without asking whether they are expected.
  constexpr std::size_t kBlock = 8000;
  for (const auto& term : terms) {
    require(term.row.size() == result.size(), "ordered_sum: a row of ", term.row.size(), " numbers where ",
            result.size(), " were expected");
  }
  TreeSum tree(*this, terms.size(), [&](std::size_t term, std::size_t begin, std::span<double> sum) {
    const Real* row = terms[term].row.data() + begin;
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = terms[term].weight * static_cast<double>(row[i]);
  });
  std::vector<double> block(std::min(kBlock, result.size()));
  for (std::size_t begin = 0; begin < result.size(); begin += kBlock) {
    const std::span<double> sum = std::span(block).first(std::min(kBlock, result.size() - begin));
    tree.add_up(begin, sum);
    if (rank_ != tree.root()) continue;
    for (std::size_t i = 0; i < sum.size(); ++i) result[begin + i] = static_cast<Real>(sum[i] * scale);
  }
  bytes_moved_ += tree.bytes_sent();
  broadcast(result, tree.root());
}

void Comm::ordered_sum(std::span<const Term> terms, std::span<float> result, double scale) const {
  sum_in_order(terms, result, scale);
}

void Comm::ordered_sum(std::span<const DoubleTerm> terms, std::span<double> result, double scale) const {
  sum_in_order(terms, result, scale);
}

void Comm::wrapping_sum(std::span<std::uint64_t> numbers) const {
  constexpr std::size_t kPart = std::size_t{1} << 27U;  // a count is an int
  for (std::size_t begin = 0; begin < numbers.size(); begin += kPart) {
    const std::span<std::uint64_t> part = numbers.subspan(begin, std::min(kPart, numbers.size() - begin));
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, part.data(), static_cast<int>(part.size()), MPI_UINT64_T, MPI_SUM, handle_),
              "MPI_Allreduce");
  }
  if (size_ > 1) bytes_moved_ += 2 * numbers.size_bytes();
}

void Comm::relay(std::string& bytes, int from, int to) const {
  constexpr int kTag = 2;
  constexpr std::size_t kPart = std::size_t{1} << 30U;  // a count is an int
  if (from == to || (rank_ != from && rank_ != to)) return;
  std::uint64_t size = bytes.size();
  if (rank_ == from) {
    finish("MPI_Isend",
           [&](MPI_Request* request) { return MPI_Isend(&size, 1, MPI_UINT64_T, to, kTag, handle_, request); });
  } else {
    finish("MPI_Irecv",
           [&](MPI_Request* request) { return MPI_Irecv(&size, 1, MPI_UINT64_T, from, kTag, handle_, request); });
    bytes.resize(size);
  }
  for (std::size_t begin = 0; begin < size; begin += kPart) {
    const int count = static_cast<int>(std::min<std::size_t>(kPart, size - begin));
    if (rank_ == from) {
      finish("MPI_Isend", [&](MPI_Request* request) {
        return MPI_Isend(bytes.data() + begin, count, MPI_CHAR, to, kTag, handle_, request);
      });
    } else {
      finish("MPI_Irecv", [&](MPI_Request* request) {
        return MPI_Irecv(bytes.data() + begin, count, MPI_CHAR, from, kTag, handle_, request);
      });
    }
  }
}

namespace {

enum Verdict : int { kFine = 0, kStop = 1, kFailed = 2, kMisconfigured = 3 };

/// Runs `work`; what it throws becomes a verdict and a message.
Verdict attempt(const std::function<void()>& work, std::string& message) {
  try {
    work();
  } catch (const ConfigError& error) {
    message = error.what();
    return kMisconfigured;
  } catch (const Error& error) {
    message = error.what();
    return kFailed;
  } catch (const Interrupted&) {
    return kStop;
  } catch (const std::exception& error) {  // of a library, or for want of memory
    message = error.what();
    return kFailed;
  }
  return kFine;
}

}  // namespace

void Comm::together(const std::function<void()>& work) const {
  std::string message;
  int verdict = attempt(work, message);
  if (verdict == kFine && stop_requested()) verdict = kStop;
  agree_on(verdict, message);
}

void Comm::see_through(const std::function<void()>& work) const {
  std::string message;
  const int verdict = attempt(work, message);
  agree_on(verdict, message);
}

void Comm::agree_on(int verdict, const std::string& message) const {
  const Stopwatch waiting;
  int worst = verdict;
  finish(
      "MPI_Iallreduce",
      [&](MPI_Request* request) { return MPI_Iallreduce(&verdict, &worst, 1, MPI_INT, MPI_MAX, handle_, request); },
      [this] { (void)stop_requested(); });  // one that waits passes the news on to those that are still at work
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
  allow_short_sleeps();
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
