#include "torch/whitening.hpp"

#include <cmath>

namespace fleet {

Whitening::Whitening(const Network& network, const FeatureStatistics& seen, Constant constant)
    : first_(network.maps().front()),
      means_(Eigen::RowVectorXf::Zero(static_cast<Eigen::Index>(seen.size()))),
      scales_(Eigen::RowVectorXf::Ones(means_.size())) {
  if (seen.empty()) return;
  for (Eigen::Index i = 0; i < means_.size(); ++i) {
    const auto feature = static_cast<std::size_t>(i);
    const double unvaried = constant == Constant::kKept ? 1.0 : 0.0;
    scales_(i) = static_cast<float>(seen.varies(feature) ? 1.0 / std::sqrt(seen.variance(feature)) : unvaried);
    if (first_.bias) means_(i) = static_cast<float>(seen.mean(feature));
  }
}

void Whitening::replace(const RowMatrix& plain, const RowMatrix& changed, ParamVector& weights) const {
  first_.add(changed - plain, weights);
}

void Whitening::to_plain(ParamVector& weights) const {
  const RowMatrix before = first_.plain_matrix(weights);
  RowMatrix after = before;
  auto features = after.leftCols(means_.size());
  features.array().rowwise() *= scales_.array();
  if (first_.bias) after.rightCols<1>() -= features * means_.transpose();
  replace(before, after, weights);
}

void Whitening::to_whitened(ParamVector& weights) const {
  const RowMatrix before = first_.plain_matrix(weights);
  RowMatrix after = before;
  auto features = after.leftCols(means_.size());
  if (first_.bias) after.rightCols<1>() += features * means_.transpose();
  features.array().rowwise() /= scales_.array();
  replace(before, after, weights);
}

void Whitening::pull_back(ParamVector& gradient) const {
  const RowMatrix before = first_.plain_matrix(gradient);
  RowMatrix after = before;
  auto features = after.leftCols(means_.size());
  if (first_.bias) features -= before.rightCols<1>() * means_;
  features.array().rowwise() *= scales_.array();
  replace(before, after, gradient);
}

torch::Tensor Whitening::whitened(std::span<const float> rows) const {
  const Eigen::Index features = means_.size();
  const Eigen::Index count = std::ssize(rows) / features;
  torch::Tensor whitened = torch::empty({count, features});
  Eigen::Map<RowMatrix>(whitened.data_ptr<float>(), count, features) =
      (Eigen::Map<const RowMatrix>(rows.data(), count, features).rowwise() - means_).array().rowwise() *
      scales_.array();
  return whitened;
}

void WhitenedTerm::add_to(const ParamVector& at, ParamVector& gradient) const {
  ParamVector plain = at;
  whitening_.to_plain(plain);
  ParamVector added(at.shared_layout());
  term_.add_to(plain, added);
  whitening_.pull_back(added);
  for (std::size_t i = 0; i < added.flat().size(); ++i) gradient.flat()[i] += added.flat()[i];
}

}  // namespace fleet
