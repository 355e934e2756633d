// Short rounds after a merge: from the merged policy every robot takes a few steps on its own data, and what they come
// to is merged again. No alignment, as all of them start from one place.
#pragma once

#include <memory>

#include "merge/merger.hpp"
#include "merge/regression.hpp"

namespace fleet {

struct RoundsAfterOptions {
  int rounds = 0;
  enum class Kind {
    kAuto,          ///< consolidated where robots classify, plain where they imitate
    kPlain,         ///< each robot minimises its own loss
    kConsolidated,  ///< each robot minimises its own loss and a quadratic model of the others'
  };
  Kind kind = Kind::kAuto;
  int steps = 0;  ///< of a robot in a round; 0: 100 where robots classify, 300 where they imitate
  Precision precision = Precision::kFloat32;  ///< of what robots send in them (precision.hpp)
  bool renew_norms = true;                    ///< of what is merged in them (renewed_norms.hpp)
  NearBody body = NearBody::kAuto;            ///< of what robots come to in a round
  int head_iterations = 100;                  ///< of the last layer's solver, at most
  double learning_rate = 0.0;                 ///< 0: 1e-3 where robots classify, 5e-4 where they imitate

  [[nodiscard]] int steps_in_round(bool imitates) const { return steps > 0 ? steps : (imitates ? 300 : 100); }
};

/// Reads "merge.rounds_after" and "merge.after.*"; `rounds` is the default.
[[nodiscard]] RoundsAfterOptions read_rounds_after(SettingsReader& settings, int rounds);

/// The entry's method, with the rounds after it that the settings ask for: `rounds` becomes their number. nullptr where
/// nothing is merged.
[[nodiscard]] std::unique_ptr<Merger> make_merger(const MergerEntry& entry, SettingsReader& settings, int& rounds);

/// `method`, and after its merges such rounds: merge() with MergeInput::after set. The last layer is solved anew for
/// the whole fleet in each. In a consolidated round robot i's steps minimise
///
///   L_i(W) + r (<g, W - V> + 1/2 sum_l tr(B_l (W_l - V_l) A_l (W_l - V_l)^T)),    r = (n - n_i) / n_i,
///
/// where V is the merged policy, and g, A_l and B_l are the means over the other robots' samples of the loss's gradient
/// and of the Kronecker factors of its curvature in map l (Curvature): FedCurv (Shoham et al., 2019) with Kronecker
/// factors, around a common point whose gradient is known. Sums cross the network; each robot takes off its own.
[[nodiscard]] std::unique_ptr<Merger> with_rounds_after(std::unique_ptr<Merger> method,
                                                        const RoundsAfterOptions& options);

}  // namespace fleet
