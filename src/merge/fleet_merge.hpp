// FLEET-MERGE: align every robot to a common reference on its own data, then average (Algorithm 1).
#pragma once

#include "merge/alignment.hpp"
#include "merge/merger.hpp"

namespace fleet {

/// Algorithm 1 with the relaxed permutations P = Sinkhorn(X / tau) differentiated through Sinkhorn. The paper
/// leaves sizes, steps and temperature unsaid: these defaults are ours.
struct FleetMergeOptions {
  Alignment start = Alignment::kNone;  ///< Algorithm 1, line 3, starts from the identity; from anything else, ours
  enum class Parameterization {
    kSinkhorn,  ///< ours: P = Sinkhorn(X / tau), Adam on X, differentiated through Sinkhorn
    kLiteral,   ///< lines 10 and 11 as printed: P <- Sinkhorn((P - eta dL/dP) / tau); fragile in eta
  };
  Parameterization parameterization = Parameterization::kSinkhorn;
  enum class Point {
    kInterpolation,  ///< line 10: lambda P(theta_i) + (1 - lambda) reference, lambda ~ U[0, 1]
    kAverage,        ///< the ablation fleet-merge-average: the reference itself, with robot i's part of it moved by P
    kSimplex,        ///< the ablation fleet-merge-simplex: uniform in the convex hull of all aligned models
  };
  Point point = Point::kInterpolation;  ///< where the loss is taken
  enum class Projection {
    kHard,  ///< line 12
    kSoft,  ///< the ablation fleet-merge-soft: P stays doubly stochastic, and so does what is averaged
  };
  Projection projection = Projection::kHard;
  int epochs = 8;  ///< E, re-averagings of the reference
  int steps = 40;  ///< T, gradient steps per robot and epoch
  int batch_size = 128;
  double learning_rate = 0.3;  ///< eta, of Adam on X, fresh each epoch, or of the literal step
  double temperature = 1.0;    ///< tau
  int sinkhorn_iterations = 5;
  double start_scale = 1.0;  ///< s: each epoch starts from X = s P_hard; 1 leaves P almost even, 5 almost hard
                             ///< (3 by default where the start is not the identity: 1 would throw it away)
  double subset = 1.0;       ///< |I| / N, share of the participants aligned per epoch
  bool keep_best = true;     ///< return the epoch with the best held-out score, not the last
  bool weighted = true;      ///< the reference averages robots by their samples, or equally
};

/// Reads the fields above from "merge.fleet-merge.*".
[[nodiscard]] std::unique_ptr<Merger> make_fleet_merge(SettingsReader& settings);
[[nodiscard]] std::unique_ptr<Merger> make_fleet_merge(const FleetMergeOptions& options);

/// Aligns one robot by gradient descent on its relaxed permutations, which it holds between steps.
class Aligner {
 public:
  /// Starts from X = start_scale x `start`. References are kept to `symmetry` and `weights`.
  Aligner(const FleetMergeOptions& options, const SymmetrySpec& symmetry, const ParamVector& weights,
          const RelaxedElement& start);
  Aligner(const Aligner&) = delete;
  Aligner& operator=(const Aligner&) = delete;
  ~Aligner();

  /// Lines 9 to 11: one gradient step on the loss at lambda P(theta_i) + (1 - lambda) other.
  void step(double lambda, const ParamVector& other, LocalData& data, RandomStream& stream);
  /// Line 12: the nearest permutations.
  [[nodiscard]] GroupElement project() const;
  /// P as it is.
  [[nodiscard]] RelaxedElement relaxed();

 private:
  struct Group;
  FleetMergeOptions options_;
  std::vector<Group> groups_;
  RelaxedAction action_;
  RelaxedElement relaxed_;
  RelaxedElement gradient_;
  ParamVector mixed_;
  ParamVector mixed_gradient_;
};

}  // namespace fleet
