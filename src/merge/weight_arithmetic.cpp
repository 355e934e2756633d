#include "merge/weight_arithmetic.hpp"

#include <bit>
#include <cmath>
#include <limits>

#include "base/multiversion.hpp"

namespace fleet {
namespace {

// Plain loops over one model at a time, which compilers turn into vector instructions.

template <class Real>
inline void add_scaled_loop(Real factor, const Real* from, Real* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] += factor * from[i];
}
FLEET_MULTIVERSION void add_scaled(float factor, const float* from, float* to, std::size_t count) {
  add_scaled_loop(factor, from, to, count);
}
void add_scaled(double factor, const double* from, double* to, std::size_t count) {
  add_scaled_loop(factor, from, to, count);
}

template <class Real>
inline void scale_loop(Real factor, const Real* from, Real* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] = factor * from[i];
}
FLEET_MULTIVERSION void scale(float factor, const float* from, float* to, std::size_t count) {
  scale_loop(factor, from, to, count);
}
void scale(double factor, const double* from, double* to, std::size_t count) {
  scale_loop(factor, from, to, count);
}

/// to += factor (from - base)
template <class Real>
inline void add_change_loop(Real factor, const Real* from, const Real* base, Real* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] += factor * (from[i] - base[i]);
}
FLEET_MULTIVERSION void add_change(float factor, const float* from, const float* base, float* to, std::size_t count) {
  add_change_loop(factor, from, base, to, count);
}
void add_change(double factor, const double* from, const double* base, double* to, std::size_t count) {
  add_change_loop(factor, from, base, to, count);
}

template <class Real>
void weighted_sum(const ArithmeticInput<Real>& input, double divisor, std::span<Real> out) {
  for (std::size_t i = 0; i < input.models.size(); ++i) {
    const Real factor = static_cast<Real>(input.weights[i] / divisor);
    if (i == 0) {
      scale(factor, input.models[i].data(), out.data(), out.size());
    } else {
      add_scaled(factor, input.models[i].data(), out.data(), out.size());
    }
  }
}

template <class Real>
void task_arithmetic(const ArithmeticInput<Real>& input, std::span<Real> out) {
  std::copy(input.base.begin(), input.base.end(), out.begin());
  for (std::size_t i = 0; i < input.models.size(); ++i) {
    add_change(static_cast<Real>(input.scale * input.weights[i]), input.models[i].data(), input.base.data(), out.data(),
               out.size());
  }
}

/// Per entry: of the changes that are large enough, those of the sign that their weighted sum has, averaged.
template <class Real>
void ties(const ArithmeticInput<Real>& input, std::span<Real> out) {
  for (std::size_t k = 0; k < out.size(); ++k) {
    const auto change = [&](std::size_t i) {
      const Real full = input.models[i][k] - input.base[k];
      return static_cast<float>(std::abs(full)) >= input.thresholds[i] ? full : Real{0};
    };
    double elected = 0.0;
    for (std::size_t i = 0; i < input.models.size(); ++i) elected += input.weights[i] * static_cast<double>(change(i));
    double sum = 0.0;
    double weight = 0.0;
    for (std::size_t i = 0; i < input.models.size(); ++i) {
      const auto full = static_cast<double>(change(i));
      if (full * elected <= 0.0) continue;
      sum += input.weights[i] * full;
      weight += input.weights[i];
    }
    const double merged = weight != 0.0 ? sum / weight : 0.0;
    out[k] = static_cast<Real>(static_cast<double>(input.base[k]) + input.scale * merged);
  }
}

/// In [0, 1), from the name of a stream and a place in it: the same in whatever parts a tensor is read.
double uniform(std::uint64_t stream, std::uint64_t place) {
  std::uint64_t z = stream + (place + 1) * 0x9E3779B97F4A7C15U;  // SplitMix64 (Steele et al., 2014)
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return static_cast<double>((z ^ (z >> 31U)) >> 11U) * 0x1.0p-53;
}

template <class Real>
void dare(const ArithmeticInput<Real>& input, std::span<Real> out) {
  std::copy(input.base.begin(), input.base.end(), out.begin());
  for (std::size_t i = 0; i < input.models.size(); ++i) {
    const auto factor = static_cast<Real>(input.scale * input.weights[i] / input.density);
    const std::uint64_t stream = input.stream + i * 0xD1B54A32D192ED03U;
    for (std::size_t k = 0; k < out.size(); ++k) {
      if (uniform(stream, input.first + k) < input.density) out[k] += factor * (input.models[i][k] - input.base[k]);
    }
  }
}

template <class Real>
void fisher(const ArithmeticInput<Real>& input, std::span<Real> out) {
  double all = 0.0;
  for (const double weight : input.weights) all += weight;
  for (std::size_t k = 0; k < out.size(); ++k) {
    double sum = 0.0;
    double information = 0.0;
    double plain = 0.0;  // where no model knows anything: the mean
    for (std::size_t i = 0; i < input.models.size(); ++i) {
      const auto theta = static_cast<double>(input.models[i][k]);
      const double known = input.weights[i] * static_cast<double>(input.fisher[i][k]);
      sum += known * theta;
      information += known;
      plain += input.weights[i] * theta;
    }
    out[k] = static_cast<Real>(information > 0.0 ? sum / information : plain / all);
  }
}

template <class Real>
void combine_any(Arithmetic method, const ArithmeticInput<Real>& input, std::span<Real> out) {
  double all = 0.0;
  for (const double weight : input.weights) all += weight;
  switch (method) {
    case Arithmetic::kAverage:
      return weighted_sum(input, all, out);
    case Arithmetic::kInterpolate:
      return weighted_sum(input, 1.0, out);
    case Arithmetic::kTask:
      return task_arithmetic(input, out);
    case Arithmetic::kTies:
      return ties(input, out);
    case Arithmetic::kDare:
      return dare(input, out);
    case Arithmetic::kFisher:
      return fisher(input, out);
  }
}

/// Grows with the magnitude.
std::uint32_t magnitude_bits(float change) {
  return std::bit_cast<std::uint32_t>(change) & 0x7fffffffU;
}

}  // namespace

void combine(Arithmetic method, const ArithmeticInput<float>& input, std::span<float> out) {
  combine_any(method, input, out);
}

void combine(Arithmetic method, const ArithmeticInput<double>& input, std::span<double> out) {
  combine_any(method, input, out);
}

void MagnitudeThreshold::add(std::span<const float> changes) {
  if (!narrowed_) {
    for (const float change : changes) ++counts_[magnitude_bits(change) >> 16U];
    return;
  }
  for (const float change : changes) {
    const std::uint32_t bits = magnitude_bits(change);
    if (bits >> 16U == upper_) ++counts_[bits & 0xffffU];
  }
}

void MagnitudeThreshold::narrow(std::uint64_t kept) {
  narrowed_ = true;
  keeps_none_ = kept == 0;
  left_ = kept;
  for (std::size_t part = counts_.size(); part-- > 0;) {
    upper_ = static_cast<std::uint32_t>(part);
    if (counts_[part] >= left_) break;
    left_ -= counts_[part];
  }
  counts_.fill(0);
}

float MagnitudeThreshold::value() const {
  if (keeps_none_) return std::numeric_limits<float>::infinity();
  std::uint64_t left = left_;
  for (std::size_t part = counts_.size(); part-- > 0;) {
    if (counts_[part] >= left) return std::bit_cast<float>(upper_ << 16U | static_cast<std::uint32_t>(part));
    left -= counts_[part];
  }
  return 0.0F;
}

}  // namespace fleet
