#include "base/random.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <numeric>

#include "base/hash.hpp"

namespace fleet {
namespace {

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53U;
  constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57U;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = kMultiplier0 * counter[0];
    const std::uint64_t product1 = kMultiplier1 * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32U) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32U) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return counter;
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, Purpose purpose, std::uint64_t robot, std::uint64_t round) {
  Hash name;
  name.add(seed).add(static_cast<std::uint64_t>(purpose)).add(robot).add(round);
  const std::uint64_t low = name.value();
  const std::uint64_t high = name.add(low).value();
  key_ = {static_cast<std::uint32_t>(low), static_cast<std::uint32_t>(low >> 32U)};
  counter_ = {0, 0, static_cast<std::uint32_t>(high), static_cast<std::uint32_t>(high >> 32U)};
}

RandomStream::result_type RandomStream::operator()() {
  if (used_ == 4) {
    block_ = philox(counter_, key_);
    if (++counter_[0] == 0) ++counter_[1];
    used_ = 0;
  }
  return block_[static_cast<std::size_t>(used_++)];
}

double RandomStream::uniform() {
  const std::uint64_t high = (*this)();
  const std::uint64_t bits = (high << 32U) | (*this)();
  return static_cast<double>(bits >> 11U) * 0x1.0p-53;
}

std::uint64_t RandomStream::below(std::uint64_t bound) {
  // Rejection of the few values that would favour small results.
  const std::uint64_t limit = bound * (UINT64_MAX / bound);
  for (;;) {
    const std::uint64_t high = (*this)();
    const std::uint64_t bits = (high << 32U) | (*this)();
    if (bits < limit) return bits % bound;
  }
}

double RandomStream::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

double RandomStream::log_gamma(double shape) {
  // For shape < 1: Gamma(shape) = Gamma(shape + 1) U^(1/shape).
  if (shape < 1.0) return log_gamma(shape + 1.0) + std::log(1.0 - uniform()) / shape;
  const double d = shape - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = normal();
    const double root = 1.0 + c * x;
    if (root <= 0.0) continue;
    const double v = root * root * root;
    if (std::log(1.0 - uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) {
      return std::log(d) + std::log(v);
    }
  }
}

std::vector<double> RandomStream::dirichlet(double alpha, std::size_t dimension) {
  std::vector<double> point(dimension);
  // Below 1e-300 the logarithms themselves overflow; the point is a corner of the simplex long before.
  for (double& value : point) value = log_gamma(std::max(alpha, 1e-300));
  const double largest = *std::max_element(point.begin(), point.end());
  double total = 0.0;
  for (double& value : point) total += value = std::exp(value - largest);
  for (double& value : point) value /= total;
  return point;
}

std::vector<int> RandomStream::sample(int population, int count) {
  // The first steps of a Fisher-Yates shuffle. Few of many are drawn without a list of them all: of the places that a
  // swap has changed.
  constexpr int kFew = 16;
  std::vector<int> drawn(static_cast<std::size_t>(count));
  const auto draw = [&](const auto& place) {
    for (int i = 0; i < count; ++i) {
      const int pick = i + static_cast<int>(below(static_cast<std::uint64_t>(population - i)));
      std::swap(place(i), place(pick));
      drawn[static_cast<std::size_t>(i)] = place(i);
    }
  };
  if (count < population / kFew) {
    std::map<int, int> changed;
    draw([&](int i) -> int& { return changed.try_emplace(i, i).first->second; });
  } else {
    std::vector<int> members(static_cast<std::size_t>(population));
    std::iota(members.begin(), members.end(), 0);
    draw([&](int i) -> int& { return members[static_cast<std::size_t>(i)]; });
  }
  std::sort(drawn.begin(), drawn.end());
  return drawn;
}

}  // namespace fleet
