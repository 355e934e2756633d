#include "merge/linear_assignment.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/multiversion.hpp"

namespace fleet {
namespace {

constexpr int kNone = -1;
constexpr int kBlock = 64;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

// nearest[j] = min(nearest[j], offset + cost[j] - dual[j]), before[j] = row where that is news, and the least of every
// block of columns. In loops that compilers vectorise: minima by halves, since one after another they would not.
FLEET_MULTIVERSION void relax(const float* __restrict cost, const double* __restrict dual, double offset,
                              std::int64_t row, std::ptrdiff_t blocks, double* __restrict nearest,
                              std::int64_t* __restrict before, double* __restrict least) {
  for (std::ptrdiff_t block = 0; block < blocks; ++block) {
    for (std::ptrdiff_t j = block * kBlock; j < (block + 1) * kBlock; ++j) {
      const double reached = offset + static_cast<double>(cost[j]) - dual[j];
      const bool news = reached < nearest[j];
      before[j] = news ? row : before[j];
      nearest[j] = news ? reached : nearest[j];
    }
    double low[32];
    const double* first = nearest + block * kBlock;
    for (int j = 0; j < 32; ++j) low[j] = first[j] < first[j + 32] ? first[j] : first[j + 32];
    for (int j = 0; j < 16; ++j) low[j] = low[j] < low[j + 16] ? low[j] : low[j + 16];
    for (int j = 0; j < 8; ++j) low[j] = low[j] < low[j + 8] ? low[j] : low[j + 8];
    least[block] = *std::min_element(low, low + 8);
  }
}

// Minimises over costs c = -score. The columns' duals v, and u(i) = c(i, j) - v(j) of the column j that row i is
// matched with, keep c(i, j) - u(i) - v(j) >= 0 for all matched rows: once all are, that proves the matching optimal.
class Assignment {
 public:
  explicit Assignment(const RowMatrix& score);

  /// Matches one more row, along a shortest augmenting path.
  void match(int row);
  [[nodiscard]] bool is_matched(int row) const { return column_of_[index(row)] != kNone; }
  [[nodiscard]] const Permutation& columns() const { return column_of_; }

 private:
  struct Settled {
    int column;
    double dual;
    double distance;
  };

  void reduce_columns();
  /// Relaxes the edges from `row`, where `offset` is what reached it less its u.
  void relax_from(int row, double offset);
  [[nodiscard]] int nearest_column() const;
  void pair(int row, int column);

  RowMatrix cost_;  // columns padded to whole blocks by infinity
  int size_;
  Permutation column_of_;
  std::vector<int> row_of_;
  std::vector<double> dual_;  // v; during a search -infinity for settled columns, which then seem out of reach
  std::vector<Settled> settled_;
  // Of the search in progress, per column: the least distance found, infinity once settled, and the row before the
  // column on that path. Per block, the least distance.
  std::vector<double> nearest_;
  std::vector<std::int64_t> before_;
  std::vector<double> least_;
};

Assignment::Assignment(const RowMatrix& score) : size_(static_cast<int>(score.rows())) {
  const int blocks = (size_ + kBlock - 1) / kBlock;
  const std::size_t padded = index(blocks * kBlock);
  cost_ = RowMatrix::Constant(size_, blocks * kBlock, std::numeric_limits<float>::infinity());
  cost_.leftCols(size_) = -score;
  column_of_.assign(index(size_), kNone);
  row_of_.assign(padded, kNone);
  dual_.assign(padded, 0.0);
  nearest_.assign(padded, kInfinity);
  before_.assign(padded, kNone);
  least_.assign(index(blocks), kInfinity);
  reduce_columns();
}

// Starts from the columns' minima as duals and the pairs that they match without conflict.
void Assignment::reduce_columns() {
  for (int i = 0; i < size_; ++i) relax_from(i, 0.0);
  for (int j = 0; j < size_; ++j) {
    dual_[index(j)] = nearest_[index(j)];
    const int i = static_cast<int>(before_[index(j)]);
    if (!is_matched(i)) pair(i, j);
  }
}

// Dijkstra's algorithm on the reduced costs.
void Assignment::match(int row) {
  std::fill(nearest_.begin(), nearest_.end(), kInfinity);
  settled_.clear();
  double offset = 0.0;
  double length = 0.0;
  int column = kNone;
  for (int from = row;;) {
    relax_from(from, offset);
    column = nearest_column();
    length = nearest_[index(column)];
    from = row_of_[index(column)];
    if (from == kNone) break;
    settled_.push_back({column, dual_[index(column)], length});
    offset = length - (static_cast<double>(cost_(from, column)) - dual_[index(column)]);
    dual_[index(column)] = -kInfinity;
    nearest_[index(column)] = kInfinity;
  }
  for (const Settled& settled : settled_) dual_[index(settled.column)] = settled.dual - (length - settled.distance);
  for (int i = kNone; i != row;) {
    i = static_cast<int>(before_[index(column)]);
    row_of_[index(column)] = i;
    std::swap(column, column_of_[index(i)]);
  }
}

void Assignment::relax_from(int row, double offset) {
  relax(cost_.row(row).data(), dual_.data(), offset, row, static_cast<std::ptrdiff_t>(least_.size()), nearest_.data(),
        before_.data(), least_.data());
}

// The lowest of equals, free columns first.
int Assignment::nearest_column() const {
  const double distance = *std::min_element(least_.begin(), least_.end());
  int nearest = kNone;
  for (std::size_t block = 0; block < least_.size(); ++block) {
    if (least_[block] != distance) continue;
    for (std::size_t j = block * kBlock; j < (block + 1) * kBlock; ++j) {
      if (nearest_[j] != distance) continue;
      if (row_of_[j] == kNone && j < index(size_)) return static_cast<int>(j);
      if (nearest == kNone) nearest = static_cast<int>(j);
    }
  }
  return nearest;
}

void Assignment::pair(int row, int column) {
  column_of_[index(row)] = column;
  row_of_[index(column)] = row;
}

}  // namespace

Permutation maximum_assignment(const RowMatrix& score) {
  require(score.rows() == score.cols(), "assignment: scores are ", score.rows(), " x ", score.cols(),
          "; they must form a square matrix");
  require(score.array().isFinite().all(), "assignment: scores must be finite");
  Assignment assignment(score);
  for (int row = 0; row < static_cast<int>(score.rows()); ++row) {
    if (!assignment.is_matched(row)) assignment.match(row);
  }
  return assignment.columns();
}

Permutation match_units(GroupKind kind, const RowMatrix& likeness) {
  if (kind != GroupKind::kSigned) return maximum_assignment(likeness);
  Permutation units = maximum_assignment(likeness.cwiseAbs());
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (likeness(static_cast<Eigen::Index>(i), units[i]) < 0.0F) units[i] = ~units[i];
  }
  return units;
}

}  // namespace fleet
