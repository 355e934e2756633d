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
  int iterations = 100;        ///< at most; 1 with least squares: one shot, everybody to the first participant
  double learning_rate = 0.2;  ///< kGradient: relative to the curvature of the loss
  bool weighted = true;        ///< robots count by their samples, or equally
};

/// Reads "merge.gl.*"; `iterations` is 3000 by default for gradient steps.
[[nodiscard]] std::unique_ptr<Merger> make_general_linear(SettingsReader& settings);
[[nodiscard]] std::unique_ptr<Merger> make_general_linear(const GeneralLinearOptions& options);

}  // namespace fleet
