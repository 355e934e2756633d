// FLEET-MERGE: align every robot to a common reference on its own data, then average (Algorithm 1).
#pragma once

#include "merge/merger.hpp"

namespace fleet {

/// Algorithm 1 with the relaxed permutations P = Sinkhorn(X / tau) differentiated through Sinkhorn. The paper
/// leaves sizes, steps and temperature unsaid: these defaults are ours.
struct FleetMergeOptions {
  enum class Start {
    kIdentity,    ///< Algorithm 1, line 3
    kGitRebasin,  ///< ours: the permutations that weight matching finds
  };
  Start start = Start::kIdentity;
  enum class Parameterization {
    kSinkhorn,  ///< ours: P = Sinkhorn(X / tau), Adam on X, differentiated through Sinkhorn
    kLiteral,   ///< lines 10 and 11 as printed: P <- Sinkhorn((P - eta dL/dP) / tau); fragile in eta
  };
  Parameterization parameterization = Parameterization::kSinkhorn;
  enum class Point {
    kInterpolation,  ///< line 10: lambda P(theta_i) + (1 - lambda) reference, lambda ~ U[0, 1]
    kAverage,        ///< the ablation fleet-merge-average: the reference itself, with robot i's part of it moved by P
  };
  Point point = Point::kInterpolation;  ///< where the loss is taken
  int epochs = 8;                       ///< E, re-averagings of the reference
  int steps = 40;                       ///< T, gradient steps per robot and epoch
  int batch_size = 128;
  double learning_rate = 0.3;  ///< eta, of Adam on X, fresh each epoch, or of the literal step
  double temperature = 1.0;    ///< tau
  int sinkhorn_iterations = 5;
  double start_scale = 1.0;  ///< s: each epoch starts from X = s P_hard; 1 leaves P almost even, 5 almost hard
                             ///< (3 by default after kGitRebasin: 1 would throw the start away)
  double subset = 1.0;       ///< |I| / N, share of the participants aligned per epoch
  bool keep_best = true;     ///< return the epoch with the best held-out score, not the last
  bool weighted = true;      ///< the reference averages robots by their samples, or equally
};

/// Reads the fields above from "merge.fleet-merge.*".
[[nodiscard]] std::unique_ptr<Merger> make_fleet_merge(SettingsReader& settings);
[[nodiscard]] std::unique_ptr<Merger> make_fleet_merge(const FleetMergeOptions& options);

/// Aligns one robot to a reference; exposed for its benchmark. Holds the relaxed element between steps.
class Aligner {
 public:
  /// Starts at `start`; `share` is the robot's part in the reference. References are kept to `symmetry` and `weights`.
  Aligner(const FleetMergeOptions& options, const SymmetrySpec& symmetry, const ParamVector& weights,
          const GroupElement& start, double share);
  Aligner(const Aligner&) = delete;
  Aligner& operator=(const Aligner&) = delete;
  ~Aligner();

  /// Lines 9 to 11: one gradient step on the loss at the point that the options name.
  void step(const ParamVector& reference, LocalData& data, RandomStream& stream);
  /// Line 12: the nearest permutations.
  [[nodiscard]] GroupElement project() const;
  /// P of the last step.
  [[nodiscard]] const RelaxedElement& relaxed() const { return relaxed_; }

 private:
  struct Group;
  /// Writes to mixed_ the point where the loss is taken; returns its derivative with respect to P(theta_i).
  float mix(const ParamVector& moved, const ParamVector& reference, RandomStream& stream);
  FleetMergeOptions options_;
  float share_;
  ParamVector start_;  // P_hard(theta_i), as it is in the reference
  std::vector<Group> groups_;
  RelaxedAction action_;
  RelaxedElement relaxed_;
  RelaxedElement gradient_;
  ParamVector mixed_;
  ParamVector mixed_gradient_;
};

}  // namespace fleet
