#include "merge/sinkhorn.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <type_traits>

#include "base/error.hpp"
#include "base/multiversion.hpp"

namespace fleet {
namespace {

using Eigen::Index;

// With D the largest (max_j X_ij - min_j X_ij) / tau, u and v each range over a factor of at most
// e^D, and the terms of K v and K^T u over e^2D. In float none of them is subnormal, which would be
// slow, while 2 D + log n < 87. In double it is enough that u and v stay below the largest number:
// D + log n < 709.
constexpr double kSingleSpread = 40.0;
constexpr double kDoubleSpread = 600.0;

// ln(2)^k / k!, the series of 2^f, to below half a unit in the last place for |f| <= 1/2.
template <class Real>
constexpr auto power_series() {
  std::array<Real, std::is_same_v<Real, float> ? 8 : 14> coefficients{};
  double coefficient = 1.0;
  for (std::size_t k = 0; k < coefficients.size(); ++k) {
    coefficients[k] = static_cast<Real>(coefficient);
    coefficient *= std::numbers::ln2 / static_cast<double>(k + 1);
  }
  return coefficients;
}

// 2^exponent while that is a normal number: rounding to k + f by adding 1.5 * 2^mantissa, whose
// last bits then hold k.
template <class Real>
[[gnu::always_inline]] inline Real power_of_two(Real exponent) {
  using Bits = std::conditional_t<std::is_same_v<Real, float>, std::uint32_t, std::uint64_t>;
  constexpr int kMantissa = std::numeric_limits<Real>::digits - 1;
  constexpr Real kRounder = static_cast<Real>(Bits{3} << (kMantissa - 1));
  constexpr auto kSeries = power_series<Real>();
  const Real rounded = exponent + kRounder;
  const Real fraction = exponent - (rounded - kRounder);
  Real power = kSeries.back();
#pragma GCC unroll 16
  for (std::size_t k = kSeries.size() - 1; k > 0; --k) power = power * fraction + kSeries[k - 1];
  const Bits scale = (std::bit_cast<Bits>(rounded) << kMantissa) + std::bit_cast<Bits>(Real{1});
  return power * std::bit_cast<Real>(scale);
}

// result_j = 2^((score_j - shift) scale), at a third to a tenth of the cost of Eigen's exp, which
// would dominate the forward pass. Blocks of known length vectorise without runtime checks.
template <class Real>
FLEET_MULTIVERSION void exponentials(const float* __restrict score, Index size, Real shift, Real scale,
                                     Real* __restrict result) {
  constexpr Index kBlock = 16;
  const Index blocked = size - size % kBlock;
  for (Index start = 0; start < blocked; start += kBlock) {
    for (Index j = start; j < start + kBlock; ++j) {
      result[j] = power_of_two((static_cast<Real>(score[j]) - shift) * scale);
    }
  }
  for (Index j = blocked; j < size; ++j) {
    result[j] = power_of_two((static_cast<Real>(score[j]) - shift) * scale);
  }
}

// sum_j a_j b_j, in lanes that vectorise without reordering what is added.
template <class Real>
FLEET_MULTIVERSION Real dot(const Real* __restrict a, const Real* __restrict b, Index size) {
  constexpr Index kLanes = 64;
  std::array<Real, kLanes> lanes{};
  const Index blocked = size - size % kLanes;
  for (Index start = 0; start < blocked; start += kLanes) {
    for (Index j = 0; j < kLanes; ++j) lanes[static_cast<std::size_t>(j)] += a[start + j] * b[start + j];
  }
  for (Index j = blocked; j < size; ++j) lanes[static_cast<std::size_t>(j - blocked)] += a[j] * b[j];
  for (std::size_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::size_t j = 0; j < width; ++j) lanes[j] += lanes[j + width];
  }
  return lanes[0];
}

// sum_j += factor a_j.
template <class Real>
FLEET_MULTIVERSION void add(Real factor, const Real* __restrict a, Index size, Real* __restrict sum) {
  for (Index j = 0; j < size; ++j) sum[j] += factor * a[j];
}

// The largest range of a row, and every row's maximum.
float range_of_rows(const RowMatrix& scores, Eigen::VectorXf& maximum) {
  maximum.resize(scores.rows());
  float widest = 0.0F;
  for (Index i = 0; i < scores.rows(); ++i) {
    maximum[i] = scores.row(i).maxCoeff<Eigen::PropagateNaN>();
    const float range = maximum[i] - scores.row(i).minCoeff();
    require(std::isfinite(range), "sinkhorn: row ", i, " of the scores has a range of ", range,
            "; scores must be finite");
    widest = std::max(widest, range);
  }
  return widest;
}

}  // namespace

template <class Real>
void Sinkhorn::Scaling<Real>::resize(Index size, Index iteration_count) {
  iterations = iteration_count;
  kernel.resize(size, size);
  left.resize(size, 2 * iterations);
  right.resize(2 * iterations + 1, size);
  outer.resize(size, size);
  row_terms.resize(size);
  column_terms.resize(size);
  product.resize(size);
}

// `shift` holds the rows' maxima, so that K <= 1; the first normalisation cancels them. An
// iteration reads K only once, because u_t(i) is known before row i leaves the cache.
template <class Real>
void Sinkhorn::Scaling<Real>::forward(const RowMatrix& scores, const Eigen::VectorXf& shift, double temperature,
                                      RowMatrix& p) {
  const Index size = scores.rows();
  const Real scale = static_cast<Real>(std::numbers::log2e / temperature);
  for (Index i = 0; i < size; ++i) {
    exponentials(scores.row(i).data(), size, static_cast<Real>(shift[i]), scale, kernel.row(i).data());
  }
  right.row(0).setOnes();
  for (Index t = 0; t < iterations; ++t) {
    column_terms.setZero();
    for (Index i = 0; i < size; ++i) {
      const Real* row = kernel.row(i).data();
      const Real u = Real{1} / dot(row, right.row(2 * t).data(), size);
      left(i, 2 * t + 1) = u;
      add(u, row, size, column_terms.data());
    }
    right.row(2 * t + 2) = column_terms.cwiseInverse();
  }
  const auto v = right.row(2 * iterations);
  for (Index i = 0; i < size; ++i) {
    const Real u = left(i, 2 * iterations - 1);
    p.row(i) = (u * kernel.row(i)).cwiseProduct(v).template cast<float>();
  }
}

// With G = dL/dP, and mu, nu the gradients with respect to log u, log v, for t = T, ..., 1:
//
//   nu_T = (P o G)^T 1,                   nu_t = v_t o K^T a_{t+1},
//   mu_T = (P o G) 1 + u_T o K b_T,       mu_t = u_t o K b_t,
//   b_t = dL/d(K^T u_t) = -v_t o nu_t,    a_t = dL/d(K v_{t-1}) = -u_t o mu_t,
//
//   dL/dX = K o (G o u_T v_T^T + sum_t (a_t v_{t-1}^T + u_t b_t^T)) / tau.
template <class Real>
void Sinkhorn::Scaling<Real>::backward(const RowMatrix& p_gradient, double temperature, RowMatrix& gradient) {
  const Index size = kernel.rows();
  const auto u_last = left.col(2 * iterations - 1);
  const auto v_last = right.row(2 * iterations);
  column_terms.setZero();
  for (Index i = 0; i < size; ++i) {
    product = (u_last[i] * kernel.row(i)).cwiseProduct(p_gradient.row(i).template cast<Real>());
    row_terms[i] = product.dot(v_last);
    column_terms += product;
  }
  for (Index t = iterations - 1; t >= 0; --t) {
    right.row(2 * t + 1) = -right.row(2 * t + 2).cwiseAbs2().cwiseProduct(column_terms);
    column_terms.setZero();
    for (Index i = 0; i < size; ++i) {
      const Real u = left(i, 2 * t + 1);
      const Real* row = kernel.row(i).data();
      const Real a = -u * (row_terms[i] + u * dot(row, right.row(2 * t + 1).data(), size));
      left(i, 2 * t) = a;
      add(a, row, size, column_terms.data());
    }
    row_terms.setZero();
  }
  outer.noalias() = left * right.topRows(2 * iterations);
  const Real inverse_temperature = static_cast<Real>(1.0 / temperature);
  for (Index i = 0; i < size; ++i) {
    product = u_last[i] * v_last.cwiseProduct(p_gradient.row(i).template cast<Real>()) + outer.row(i);
    gradient.row(i) = (inverse_temperature * kernel.row(i)).cwiseProduct(product).template cast<float>();
  }
}

Sinkhorn::Sinkhorn(double temperature, int iterations) : temperature_(temperature), iterations_(iterations) {
  require(std::isfinite(temperature) && temperature > 0.0, "sinkhorn: temperature is ", temperature,
          "; it must be positive");
  require(iterations >= 1, "sinkhorn: iterations is ", iterations, "; it must be at least 1");
}

const RowMatrix& Sinkhorn::forward(const RowMatrix& scores) {
  const Index size = scores.rows();
  require(size >= 1 && scores.cols() == size, "sinkhorn: scores are ", size, " x ", scores.cols(),
          "; they must form a square matrix");
  const double range = range_of_rows(scores, row_maximum_);
  const double spread = range / temperature_;
  require(spread <= kDoubleSpread, "sinkhorn: a row of the scores has a range of ", range, ", ", spread,
          " times the temperature ", temperature_, "; at most ", kDoubleSpread,
          " times is supported: raise the temperature to ", range / kDoubleSpread, " or more");
  p_.resize(size, size);
  in_double_ = spread > kSingleSpread;
  if (in_double_) {
    double_scaling_.resize(size, iterations_);
    double_scaling_.forward(scores, row_maximum_, temperature_, p_);
  } else {
    single_scaling_.resize(size, iterations_);
    single_scaling_.forward(scores, row_maximum_, temperature_, p_);
  }
  return p_;
}

const RowMatrix& Sinkhorn::backward(const RowMatrix& p_gradient) {
  assert(p_.size() > 0 && p_gradient.rows() == p_.rows() && p_gradient.cols() == p_.cols());
  gradient_.resize(p_.rows(), p_.cols());
  if (in_double_) {
    double_scaling_.backward(p_gradient, temperature_, gradient_);
  } else {
    single_scaling_.backward(p_gradient, temperature_, gradient_);
  }
  return gradient_;
}

}  // namespace fleet
