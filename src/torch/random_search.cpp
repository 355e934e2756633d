#include "torch/random_search.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "torch/whitening.hpp"

namespace fleet {
namespace {

Eigen::Map<Eigen::VectorXf> vector_of(ParamVector& values) {
  return {values.flat().data(), std::ssize(values.flat())};
}
Eigen::Map<const Eigen::VectorXf> vector_of(const ParamVector& values) {
  return {values.flat().data(), std::ssize(values.flat())};
}

/// A direction and what the policies on both sides of it returned.
struct Tried {
  ParamVector direction;
  double ahead;
  double behind;
  [[nodiscard]] double best() const { return std::max(ahead, behind); }
};

double deviation_of(std::span<const Tried> tried) {
  double sum = 0.0;
  double squares = 0.0;
  for (const Tried& each : tried) sum += each.ahead + each.behind;
  const double mean = sum / (2.0 * static_cast<double>(tried.size()));
  for (const Tried& each : tried) {
    squares += (each.ahead - mean) * (each.ahead - mean) + (each.behind - mean) * (each.behind - mean);
  }
  return std::sqrt(squares / (2.0 * static_cast<double>(tried.size())));
}

}  // namespace

ParamVector RandomSearch::draw(RandomStream& stream) const {
  ParamVector direction(network_.layout());
  for (float& value : direction.flat()) value = static_cast<float>(stream.normal());
  for (std::size_t t = 0; t < network_.layout()->tensors().size(); ++t) {  // a variance must stay one
    if (network_.is_statistic(t)) std::ranges::fill(direction.tensor(t), 0.0F);
  }
  Whitening(network_, seen_, Whitening::Constant::kLeftOut).to_plain(direction);
  return direction;
}

void RandomSearch::estimate(const ParamVector& weights, const Play& play, RandomStream& stream, ParamVector& gradient) {
  std::vector<Tried> tried;
  ParamVector near = weights;
  const auto number = [&](int side) {
    return 2 * static_cast<std::uint64_t>(tried.size()) + static_cast<unsigned>(side);
  };
  const auto step = static_cast<float>(options_.perturbation);
  for (int i = 0; i < options_.directions; ++i) {
    ParamVector direction = draw(stream);
    vector_of(near) = vector_of(weights) + step * vector_of(direction);
    const double ahead = play(near, number(0));
    vector_of(near) = vector_of(weights) - step * vector_of(direction);
    const double behind = play(near, number(1));
    tried.push_back({std::move(direction), ahead, behind});
  }
  std::ranges::stable_sort(tried, std::greater{}, &Tried::best);
  const std::span<const Tried> best = std::span(tried).first(static_cast<std::size_t>(options_.best));
  const double deviation = deviation_of(best);
  vector_of(gradient).setZero();
  if (deviation == 0.0) return;  // nothing is told apart
  for (const Tried& each : best) {
    const double weight = (each.behind - each.ahead) / (static_cast<double>(best.size()) * deviation);
    vector_of(gradient) += static_cast<float>(weight) * vector_of(each.direction);
  }
}

}  // namespace fleet
