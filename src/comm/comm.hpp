// MPI as the rest of the project sees it: a session, a communicator, agreement on errors.
//
// Ranks fail together or not at all: work that may throw on one rank runs inside Comm::together(),
// which ends with every rank throwing the same Error or none. Whatever escapes it is fatal, and
// abort_run() takes all ranks down with its message.
#pragma once

#include <mpi.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fleet {

/// Throws Error naming the call unless `code` is MPI_SUCCESS.
void check_mpi(int code, std::string_view call);

class Comm {
 public:
  /// A private duplicate of `source`. Collective.
  explicit Comm(MPI_Comm source);
  Comm(Comm&& other) noexcept;
  Comm(const Comm&) = delete;
  Comm& operator=(const Comm&) = delete;
  Comm& operator=(Comm&&) = delete;
  ~Comm();

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return size_; }
  [[nodiscard]] bool is_root() const { return rank_ == 0; }
  [[nodiscard]] MPI_Comm handle() const { return handle_; }

  /// The ranks of one colour, in the order of their ranks here. Collective.
  [[nodiscard]] Comm split(int color) const;
  /// The ranks that share this rank's memory. Collective.
  [[nodiscard]] Comm node() const;

  void barrier() const;
  void broadcast(std::span<float> data, int root = 0) const;
  void broadcast(std::span<double> data, int root = 0) const;
  void broadcast(std::string& text, int root = 0) const;
  /// Concatenation of every rank's data in rank order, on every rank. Lengths may differ.
  [[nodiscard]] std::vector<double> all_gather(std::span<const double> local) const;
  [[nodiscard]] std::vector<std::string> all_gather(const std::string& local) const;
  /// Everyone's numbers at `root` alone, in the order of ranks; elsewhere nothing.
  [[nodiscard]] std::vector<float> gather(std::span<const float> local, int root = 0) const;
  [[nodiscard]] double max(double value) const;
  [[nodiscard]] std::int64_t sum(std::int64_t value) const;

  /// result = scale * sum over rows of weight * row, in double precision, by a tree over the rows in the order of
  /// ranks, then rows (TreeSum): the same bits however the rows are spread over ranks in that order. On every rank;
  /// none holds more than its own rows and a few blocks.
  template <typename Real>
  struct WeightedRow {
    std::span<const Real> row;
    double weight;
  };
  using Term = WeightedRow<float>;
  using DoubleTerm = WeightedRow<double>;
  void ordered_sum(std::span<const Term> terms, std::span<float> result, double scale = 1.0) const;
  void ordered_sum(std::span<const DoubleTerm> terms, std::span<double> result, double scale = 1.0) const;

  /// Everyone's numbers added up modulo 2^64, whatever the order, on every rank.
  void wrapping_sum(std::span<std::uint64_t> numbers) const;

  /// Takes `bytes` from rank `from` to rank `to`; others, and a rank that is both, do nothing.
  void relay(std::string& bytes, int from, int to) const;

  /// Runs `work` on every rank. If it throws Error on any, all ranks throw that of the lowest such rank, as
  /// ConfigError if it is one, else as SharedError; if `stop_requested` holds on any rank afterwards, all throw
  /// Interrupted. Collective.
  void together(const std::function<void()>& work) const;
  /// The same for work that is to be done although a stop is requested: only `work` itself can be interrupted.
  void see_through(const std::function<void()>& work) const;
  /// Whether this rank has been asked to stop.
  [[nodiscard]] bool stop_requested() const { return stop_requested_ && stop_requested_(); }
  /// Asked by together(), before it agrees and while it waits; set once by main from its signal handler.
  void set_stop_request(std::function<bool()> stop_requested);

  /// Payload bytes this rank has sent or received through the data collectives so far.
  [[nodiscard]] std::uint64_t bytes_moved() const { return bytes_moved_; }
  /// Seconds this rank has spent waiting for others in together() so far.
  [[nodiscard]] double seconds_waited() const { return seconds_waited_; }

 private:
  Comm(MPI_Comm owned, std::function<bool()> stop_requested);
  void agree_on(int verdict, const std::string& message) const;
  template <typename Real>
  void sum_in_order(std::span<const WeightedRow<Real>> terms, std::span<Real> result, double scale) const;

  MPI_Comm handle_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  std::function<bool()> stop_requested_;
  mutable std::uint64_t bytes_moved_ = 0;
  mutable double seconds_waited_ = 0;
};

/// Initialises MPI for the life of the object. While an exception unwinds it does not finalize: other
/// ranks may be inside a collective, and finalize would wait for them for ever.
class MpiSession {
 public:
  MpiSession(int& argc, char**& argv);
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;
  ~MpiSession();

  [[nodiscard]] static Comm world() { return Comm(MPI_COMM_WORLD); }

 private:
  int exceptions_at_start_;
};

/// Prints "fleet: rank R: message" and ends every rank at once. MPI must be initialised.
[[noreturn]] void abort_run(std::string_view message, int exit_code);

/// "Open MPI v4.1.4 ...", the library in use.
[[nodiscard]] std::string mpi_version();

}  // namespace fleet
