// Weights of a network that sees observations as they are, and those of one that sees them whitened (each feature less
// its mean, divided by its deviation) and says the same: only the first map differs. Robots that learn online take
// their steps among the latter, where all features weigh alike, and hand out the former, which can be merged.
// Seen only inside src/torch.
#pragma once

#include <span>

#include "merge/local_steps.hpp"
#include "torch/feature_statistics.hpp"
#include "torch/network.hpp"

namespace fleet {

class Whitening {
 public:
  /// What becomes of features that do not vary.
  enum class Constant {
    kLeftOut,  ///< in the whitened network they have weight 0
    kKept,     ///< their deviation is taken for 1
  };
  /// By what has been seen so far. A first map without a bias is whitened about 0. `network` must outlive it.
  Whitening(const Network& network, const FeatureStatistics& seen, Constant constant);

  /// Of whitened weights, or of a direction among them, those that see observations as they are.
  void to_plain(ParamVector& weights) const;
  /// The inverse, where constant features are kept.
  void to_whitened(ParamVector& weights) const;
  /// Of a gradient with respect to plain weights, that with respect to the whitened ones.
  void pull_back(ParamVector& gradient) const;
  /// Rows x features as the whitened network sees them.
  [[nodiscard]] torch::Tensor whitened(std::span<const float> rows) const;

 private:
  /// Puts `changed` in the place of the first map's matrix, which is `plain`.
  void replace(const RowMatrix& plain, const RowMatrix& changed, ParamVector& weights) const;

  const AffineMap& first_;
  Eigen::RowVectorXf means_;   ///< of each feature
  Eigen::RowVectorXf scales_;  ///< 1 / deviation, or 0
};

/// What is added to the gradient of plain weights, for steps among whitened ones. Both must outlive it.
class WhitenedTerm final : public GradientTerm {
 public:
  WhitenedTerm(const GradientTerm& term, const Whitening& whitening) : term_(term), whitening_(whitening) {}
  void add_to(const ParamVector& at, ParamVector& gradient) const override;

 private:
  const GradientTerm& term_;
  const Whitening& whitening_;
};

}  // namespace fleet
