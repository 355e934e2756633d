#include "lqg/tall_product.hpp"

#include "base/multiversion.hpp"

namespace fleet {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;

/// A block of a matrix, column by column.
template <class Scalar>
struct Block {
  Scalar* data;
  Index stride;  // from column to column

  [[nodiscard]] Block from_column(Index c) const { return {data + c * stride, stride}; }
};

// What follows is inlined, so that it is compiled for every instruction set along with its callers at the end.

/// to += from small, where `from` has kDepth columns and `to` has kColumns: one pass over `rows` rows, which the
/// compiler takes several at a time, with `small` in registers.
template <int kDepth, int kColumns>
[[gnu::always_inline]] inline void add_panel(Block<const double> from, Block<const double> small, Index rows,
                                             Block<double> to) {
  double factors[kDepth][kColumns];
  for (int d = 0; d < kDepth; ++d) {
    for (int c = 0; c < kColumns; ++c) factors[d][c] = small.data[c * small.stride + d];
  }
  const double* __restrict read = from.data;
  double* __restrict write = to.data;
#pragma GCC ivdep  // columns of `to` do not overlap
  for (Index row = 0; row < rows; ++row) {
    double entries[kDepth];
    for (int d = 0; d < kDepth; ++d) entries[d] = read[d * from.stride + row];
    for (int c = 0; c < kColumns; ++c) {
      double sum = write[c * to.stride + row];
      for (int d = 0; d < kDepth; ++d) sum += factors[d][c] * entries[d];
      write[c * to.stride + row] = sum;
    }
  }
}

/// The same for any depth, four columns of `from` at a time.
template <int kColumns>
[[gnu::always_inline]] inline void add_panels(Block<const double> from, Index depth, Block<const double> small,
                                              Index rows, Block<double> to) {
  constexpr int kDepth = 4;
  Index d = 0;
  for (; d + kDepth <= depth; d += kDepth) {
    add_panel<kDepth, kColumns>(from.from_column(d), {small.data + d, small.stride}, rows, to);
  }
  for (; d < depth; ++d) add_panel<1, kColumns>(from.from_column(d), {small.data + d, small.stride}, rows, to);
}

/// The same for any number of columns, four at a time.
[[gnu::always_inline]] inline void add_strips(Block<const double> from, Index depth, Block<const double> small,
                                              Index rows, Index columns, Block<double> to) {
  Index c = 0;
  for (; c + 4 <= columns; c += 4) add_panels<4>(from, depth, small.from_column(c), rows, to.from_column(c));
  for (; c + 2 <= columns; c += 2) add_panels<2>(from, depth, small.from_column(c), rows, to.from_column(c));
  if (c < columns) add_panels<1>(from, depth, small.from_column(c), rows, to.from_column(c));
}

FLEET_MULTIVERSION
void add_whole(Block<const double> from, Index depth, Block<const double> small, Index rows, Index columns,
               Block<double> to) {
  add_strips(from, depth, small, rows, columns, to);
}

/// Block k gains block k - 1, `step` rows away.
FLEET_MULTIVERSION
void add_in_turn(Block<const double> small, Index width, Index step, Index blocks, Index columns, Block<double> rows) {
  for (Index k = 1; k < blocks; ++k) {
    const Block<const double> before{rows.data, rows.stride};
    rows.data += step;
    add_strips(before, columns, small, width, columns, rows);
  }
}

}  // namespace

void add_product(const Eigen::Ref<const MatrixXd>& tall, const MatrixXd& small, MatrixXd& to) {
  add_whole({tall.data(), tall.outerStride()}, tall.cols(), {small.data(), small.rows()}, tall.rows(), small.cols(),
            {to.data(), to.rows()});
}

void propagate(const MatrixXd& small, Index width, InTime order, MatrixXd& rows) {
  const Index blocks = rows.rows() / width;
  const bool forward = order == InTime::kForward;
  add_in_turn({small.data(), small.rows()}, width, forward ? width : -width, blocks, rows.cols(),
              {rows.data() + (forward ? 0 : (blocks - 1) * width), rows.rows()});
}

}  // namespace fleet
