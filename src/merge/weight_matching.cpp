#include "merge/weight_matching.hpp"

#include <cmath>

#include "merge/linear_assignment.hpp"

namespace fleet {
namespace {

double inner_product(const ParamVector& a, const ParamVector& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.flat().size(); ++i) {
    sum += static_cast<double>(a.flat()[i]) * static_cast<double>(b.flat()[i]);
  }
  return sum;
}

}  // namespace

GroupElement match_weights(const SymmetrySpec& symmetry, const ParamVector& weights, const ParamVector& reference,
                           const GroupElement& start) {
  constexpr int kMaxSweeps = 100;
  constexpr double kSignificant = 1e-7;  // float rounding must not count as a gain
  GroupElement best = start;
  RelaxedElement matrices = to_matrices(best);
  RelaxedElement gradient = matrices;
  RelaxedAction action(symmetry, weights);
  double objective = inner_product(action.apply(matrices), reference);
  bool improved = true;
  for (int sweep = 0; improved && sweep < kMaxSweeps; ++sweep) {
    improved = false;
    for (std::size_t g = 0; g < best.size(); ++g) {
      // d <P(weights), reference> / dP at the present element: the assignment's scores.
      for (RowMatrix& part : gradient) part.setZero();
      action.apply(matrices);
      action.adjoint(reference, gradient);
      GroupElement tried = best;
      tried[g] = maximum_assignment(gradient[g]);
      RelaxedElement tried_matrices = to_matrices(tried);
      const double reached = inner_product(action.apply(tried_matrices), reference);
      if (reached <= objective + kSignificant * std::abs(objective)) continue;
      objective = reached;
      best = std::move(tried);
      matrices = std::move(tried_matrices);
      improved = true;
    }
  }
  return best;
}

}  // namespace fleet
