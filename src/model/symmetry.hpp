// What leaves a network's function unchanged, and how it acts on the weights.
//
// A group acts on a set of units, say one hidden layer. An action says which axis of which
// tensor is indexed by a group's units; a group may act on both axes of a tensor, as on a recurrent
// weight: W -> P W P^T (FLEET-MERGE eq. 3.3). Elements come hard (permutations) or relaxed (doubly
// stochastic matrices P, acting with P where the permutation matrix would and P^T where its inverse
// would); the relaxed action is linear in each P and has the adjoint that mergers need in place of autograd.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "model/param_layout.hpp"

namespace fleet {

/// What may be done to units without changing the function. Each kind contains those before it.
enum class GroupKind {
  kPermutation,    ///< put them in another order
  kSigned,         ///< and negate some: units of an odd activation, tanh
  kGeneralLinear,  ///< any invertible change of basis: the state of a linear policy (eq. G.9)
};

/// Units that can be exchanged without changing the function. Where units are blocks with a symmetry of their own (the
/// dimensions of an attention head), block b of group `parent` has groups that name it; they come before their parent,
/// act first, and move along with their block: together a wreath product.
struct SymmetryGroup {
  std::string name;
  int size = 0;
  GroupKind kind = GroupKind::kPermutation;
  std::optional<std::size_t> parent;
  int block = 0;
};

/// Group `group` indexes axis `axis` of tensor `tensor` from `offset` on, along outer x size x inner places: outer = 4
/// for the stacked gates of an LSTM, inner = H W for a convolution flattened into a linear layer. What lies before and
/// behind them along the axis belongs to others: to another block, or to what was concatenated with these units.
struct SymmetryAction {
  std::size_t tensor = 0;
  std::size_t axis = 0;
  std::size_t group = 0;
  int outer = 1;
  int inner = 1;
  int offset = 0;
  bool dual = false;  ///< by the inverse transposed, for axes that read the units; of a permutation that is itself
};

/// Per group, perm[new position] = old position: row i of P W is row perm[i] of W. Where a unit is negated as well, the
/// bits of its old position are: ~old, below zero.
using Permutation = std::vector<int>;
using GroupElement = std::vector<Permutation>;
[[nodiscard]] constexpr bool is_negated(int unit) {
  return unit < 0;
}
[[nodiscard]] constexpr int place_of(int unit) {
  return is_negated(unit) ? ~unit : unit;
}
/// An element as negations of units where they are, followed by permutations.
struct SignedParts {
  GroupElement negations;
  GroupElement permutations;
};
[[nodiscard]] SignedParts parts_of(const GroupElement& element);
/// Per group a square matrix; a permutation's has P(i, perm[i]) = 1, or -1 where the unit is negated.
using RelaxedElement = std::vector<RowMatrix>;
[[nodiscard]] RelaxedElement to_matrices(const GroupElement& element);

class SymmetrySpec {
 public:
  /// Error if an action names a tensor, axis or group that is not there, or extents do not match.
  SymmetrySpec(std::shared_ptr<const ParamLayout> layout, std::vector<SymmetryGroup> groups,
               std::vector<SymmetryAction> actions);

  [[nodiscard]] const std::shared_ptr<const ParamLayout>& layout() const { return layout_; }
  [[nodiscard]] const std::vector<SymmetryGroup>& groups() const { return groups_; }
  [[nodiscard]] const std::vector<SymmetryAction>& actions() const { return actions_; }

  [[nodiscard]] GroupElement identity() const;
  [[nodiscard]] GroupElement random(RandomStream& stream) const;
  [[nodiscard]] GroupElement inverse(const GroupElement& element) const;
  /// The element that acts as `second` after `first`.
  [[nodiscard]] GroupElement compose(const GroupElement& second, const GroupElement& first) const;
  /// The groups within block `block` of group `parent`.
  [[nodiscard]] std::vector<std::size_t> groups_within(std::size_t parent, int block) const;

  /// The weights of the permuted network, which computes the same function.
  [[nodiscard]] ParamVector apply(const GroupElement& element, const ParamVector& weights) const;
  /// The same in place, on anything laid out as the weights are (an optimiser's moments, say; of squares, without
  /// their signs).
  void apply(const GroupElement& element, std::span<float> weights) const;
  /// One group's part of it.
  void apply(std::size_t group, const Permutation& permutation, std::span<float> weights) const;

  /// How alike the units of one group are in two networks: entry (i, j) is the inner product, over every tensor the
  /// group touches, of unit i of `a` with unit j of `b`. Permuting the group in `b` changes <a, b> as it changes the
  /// sum of the matched entries; where the group acts on both axes of a tensor, to first order.
  [[nodiscard]] RowMatrix unit_products(std::size_t group, const ParamVector& a, const ParamVector& b) const;

 private:
  /// Of a group within a block: its counterpart in the block that `element` brings there.
  [[nodiscard]] std::size_t source_of(std::size_t group, const GroupElement& element) const;

  std::shared_ptr<const ParamLayout> layout_;
  std::vector<SymmetryGroup> groups_;
  std::vector<SymmetryAction> actions_;
};

/// The relaxed action on one fixed weight vector, with its adjoint. Holds the intermediate products, so
/// that the adjoint costs no more than the action's own chain rule; one object per robot being aligned.
class RelaxedAction {
 public:
  /// Keeps a reference to `weights`.
  RelaxedAction(const SymmetrySpec& spec, const ParamVector& weights);
  RelaxedAction(const RelaxedAction&) = delete;
  RelaxedAction& operator=(const RelaxedAction&) = delete;
  ~RelaxedAction();

  /// P(theta), all actions applied. The result lives until the next call.
  const ParamVector& apply(const RelaxedElement& element);
  /// Adds to `gradient` (per group, square) dL/dP given `output_gradient` = dL/dP(theta), for the element
  /// of the last apply(), which must still exist.
  void adjoint(const ParamVector& output_gradient, RelaxedElement& gradient);

 private:
  struct Step;  // one action within its tensor's chain
  std::vector<std::vector<Step>> chains_;
  const ParamVector* weights_;
  const RelaxedElement* element_ = nullptr;
  ParamVector result_;
};

}  // namespace fleet
