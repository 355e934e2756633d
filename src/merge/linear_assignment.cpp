#include "merge/linear_assignment.hpp"

#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace fleet {
namespace {

constexpr int kNone = -1;

// Minimises over costs c = -score. The duals keep c(i, j) - row_dual(i) - column_dual(j) >= 0, with
// equality on matched pairs: once every row is matched they prove the matching optimal.
class Assignment {
 public:
  explicit Assignment(const RowMatrix& score);

  /// Matches one more row, along a shortest augmenting path.
  void match(int row);
  [[nodiscard]] bool is_matched(int row) const { return column_of_[index(row)] != kNone; }
  [[nodiscard]] const Permutation& columns() const { return column_of_; }

 private:
  struct Path {
    int end = kNone;  // the free column it leads to
    double length = 0.0;
  };

  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  void reduce_columns();
  [[nodiscard]] Path shortest_path(int row);
  [[nodiscard]] int scan(int row, double length);

  const RowMatrix& score_;
  int size_;
  Permutation column_of_;
  std::vector<int> row_of_;
  std::vector<double> row_dual_;
  std::vector<double> column_dual_;
  // Of the search in progress, per column: the least distance found, the row before the column on
  // that path, and whether both are final.
  std::vector<double> distance_;
  std::vector<int> row_before_;
  std::vector<char> settled_;
};

Assignment::Assignment(const RowMatrix& score)
    : score_(score),
      size_(static_cast<int>(score.rows())),
      column_of_(index(size_), kNone),
      row_of_(index(size_), kNone),
      row_dual_(index(size_), 0.0),
      column_dual_(index(size_)),
      distance_(index(size_)),
      row_before_(index(size_)),
      settled_(index(size_)) {
  reduce_columns();
}

// Starts from the columns' minima as duals and the pairs that they match without conflict.
void Assignment::reduce_columns() {
  std::vector<int> best_row(index(size_), 0);
  for (int i = 0; i < size_; ++i) {
    for (int j = 0; j < size_; ++j) {
      if (score_(i, j) > score_(best_row[index(j)], j)) best_row[index(j)] = i;
    }
  }
  for (int j = 0; j < size_; ++j) {
    const int i = best_row[index(j)];
    column_dual_[index(j)] = -static_cast<double>(score_(i, j));
    if (is_matched(i)) continue;
    column_of_[index(i)] = j;
    row_of_[index(j)] = i;
  }
}

// Relaxes the edges from `row`, reached at `length`; the nearest column not settled, the lowest of
// equals, free columns first.
int Assignment::scan(int row, double length) {
  const float* score = score_.row(row).data();
  const double offset = length - row_dual_[index(row)];
  int nearest = kNone;
  for (int j = 0; j < size_; ++j) {
    const std::size_t at = index(j);
    if (settled_[at] != 0) continue;
    const double reached = offset - static_cast<double>(score[j]) - column_dual_[at];
    if (reached < distance_[at]) {
      distance_[at] = reached;
      row_before_[at] = row;
    }
    if (nearest == kNone || distance_[at] < distance_[index(nearest)] ||
        (distance_[at] == distance_[index(nearest)] && row_of_[at] == kNone && row_of_[index(nearest)] != kNone)) {
      nearest = j;
    }
  }
  return nearest;
}

// Dijkstra's algorithm on the reduced costs.
Assignment::Path Assignment::shortest_path(int row) {
  distance_.assign(index(size_), std::numeric_limits<double>::infinity());
  settled_.assign(index(size_), 0);
  Path path;
  for (;;) {
    path.end = scan(row, path.length);
    path.length = distance_[index(path.end)];
    if (row_of_[index(path.end)] == kNone) return path;
    settled_[index(path.end)] = 1;
    row = row_of_[index(path.end)];
  }
}

void Assignment::match(int row) {
  const Path path = shortest_path(row);
  row_dual_[index(row)] += path.length;
  for (std::size_t j = 0; j < settled_.size(); ++j) {
    if (settled_[j] == 0) continue;
    row_dual_[index(row_of_[j])] += path.length - distance_[j];
    column_dual_[j] -= path.length - distance_[j];
  }
  int column = path.end;
  for (int i = kNone; i != row;) {
    i = row_before_[index(column)];
    row_of_[index(column)] = i;
    std::swap(column, column_of_[index(i)]);
  }
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

}  // namespace fleet
