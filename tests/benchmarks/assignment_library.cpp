// Our assignment solver as a C function, for assignment.py, which times it beside others.
#include "merge/linear_assignment.hpp"

#include <algorithm>

/// The assignment of greatest score, `columns[i]` to row i of the `size` x `size` scores, row by row.
extern "C" void fleet_maximum_assignment(const float* scores, int size, int* columns) {
  const fleet::RowMatrix matrix = Eigen::Map<const fleet::RowMatrix>(scores, size, size);
  const fleet::Permutation permutation = fleet::maximum_assignment(matrix);
  std::copy(permutation.begin(), permutation.end(), columns);
}
