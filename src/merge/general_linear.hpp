// Merging linear policies over GL(n): every robot's state is brought into one basis by an invertible matrix (Appendix
// G.4.2).
#pragma once

#include "merge/merger.hpp"

namespace fleet {

/// Step sizes and numbers of iterations are ours; the paper leaves them unsaid.
struct GeneralLinearOptions {
  enum class Solver {
    kLeastSquares,  ///< alternates exact solutions: of the bases, of the reference
    kGradient,      ///< alternates gradient steps on both (the paper's)
  };
  Solver solver = Solver::kLeastSquares;
  /// At most; 1 with least squares: one shot, everybody to the first participant. Policies that are no copies of each
  /// other draw their bases together as iterations go on, so that more are not better: with 8 states 1, 5 and 100
  /// cost 4, 13 and 19 % above the optimum, with 4 states and many tasks 26, 23 and 23 %.
  int iterations = 5;
  double learning_rate = 0.2;  ///< kGradient: relative to the curvature of the loss
  bool weighted = true;        ///< robots count by their samples, or equally
};

/// Reads "merge.gl.*"; `iterations` is 3000 by default for gradient steps.
[[nodiscard]] std::unique_ptr<Merger> make_general_linear(SettingsReader& settings);
[[nodiscard]] std::unique_ptr<Merger> make_general_linear(const GeneralLinearOptions& options);

}  // namespace fleet
