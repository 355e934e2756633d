#include "model/symmetry.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

#include "base/error.hpp"

namespace fleet {
namespace {

bool is_identity(const Permutation& permutation) {
  for (std::size_t i = 0; i < permutation.size(); ++i) {
    if (permutation[i] != static_cast<int>(i)) return false;
  }
  return true;
}

/// A tensor seen by one action: lead x outer slabs of `units` rows of `trail` elements. The slabs of one lead lie side
/// by side, those of the next `stride` further.
struct Slabs {
  Eigen::Index lead = 1;
  Eigen::Index outer = 1;
  Eigen::Index units = 1;
  Eigen::Index trail = 1;
  Eigen::Index stride = 1;
  Eigen::Index offset = 0;
  bool whole = true;  ///< they cover the tensor

  Slabs(const TensorSpec& tensor, const SymmetryAction& action, int size)
      : outer(action.outer), units(size), trail(action.inner) {
    for (std::size_t axis = 0; axis < tensor.shape.size(); ++axis) {
      if (axis < action.axis) lead *= tensor.shape[axis];
      if (axis > action.axis) trail *= tensor.shape[axis];
    }
    const Eigen::Index place = trail / action.inner;
    stride = tensor.shape[action.axis] * place;
    offset = action.offset * place;
    whole = outer * units * trail == stride;
    if (!whole) return;
    lead *= outer;
    outer = 1;
    stride = units * trail;
  }

  /// With one element per unit the slabs together are one matrix, a unit per column.
  [[nodiscard]] bool is_matrix() const { return trail == 1 && outer == 1; }
  template <class Scalar>
  [[nodiscard]] auto as_matrix(Scalar* tensor) const {
    using Matrix = std::conditional_t<std::is_const_v<Scalar>, const RowMatrix, RowMatrix>;
    return Eigen::Map<Matrix, 0, Eigen::OuterStride<>>(tensor + offset, lead, units, Eigen::OuterStride<>(stride));
  }
  [[nodiscard]] Eigen::Index count() const { return lead * outer; }
  [[nodiscard]] Eigen::Index begin(Eigen::Index slab) const {
    return offset + (slab / outer) * stride + (slab % outer) * units * trail;
  }
  /// A unit per row.
  [[nodiscard]] MatrixView slab(float* tensor, Eigen::Index i) const { return {tensor + begin(i), units, trail}; }
  [[nodiscard]] ConstMatrixView slab(const float* tensor, Eigen::Index i) const {
    return {tensor + begin(i), units, trail};
  }
};

/// out = P in, slab by slab.
void multiply(const RowMatrix& p, const Slabs& slabs, const float* in, float* out) {
  if (slabs.is_matrix()) {
    slabs.as_matrix(out).noalias() = slabs.as_matrix(in) * p.transpose();
    return;
  }
  for (Eigen::Index i = 0; i < slabs.count(); ++i) slabs.slab(out, i).noalias() = p * slabs.slab(in, i);
}

/// The adjoint of multiply() in its input: out = P^T in.
void multiply_transposed(const RowMatrix& p, const Slabs& slabs, const float* in, float* out) {
  if (slabs.is_matrix()) {
    slabs.as_matrix(out).noalias() = slabs.as_matrix(in) * p;
    return;
  }
  for (Eigen::Index i = 0; i < slabs.count(); ++i) slabs.slab(out, i).noalias() = p.transpose() * slabs.slab(in, i);
}

/// Slabs of few elements a unit side by side, a unit per row: products of many thin matrices cost more than of one.
RowMatrix side_by_side(const Slabs& slabs, const float* tensor) {
  RowMatrix rows(slabs.units, slabs.count() * slabs.trail);
  for (Eigen::Index i = 0; i < slabs.count(); ++i) {
    const float* from = tensor + slabs.begin(i);
    float* to = rows.data() + i * slabs.trail;
    for (Eigen::Index unit = 0; unit < slabs.units; ++unit, from += slabs.trail, to += rows.cols()) {
      for (Eigen::Index k = 0; k < slabs.trail; ++k) to[k] = from[k];
    }
  }
  return rows;
}

/// products += sum over slabs of a b^T. With a = dL/d out and b = in the adjoint of multiply() in P.
void add_products(const Slabs& slabs, const float* a, const float* b, RowMatrix& products) {
  constexpr Eigen::Index kThin = 64;
  if (slabs.is_matrix()) {
    products.noalias() += slabs.as_matrix(a).transpose() * slabs.as_matrix(b);
    return;
  }
  if (slabs.count() > 1 && slabs.trail < kThin) {
    products.noalias() += side_by_side(slabs, a) * side_by_side(slabs, b).transpose();
    return;
  }
  for (Eigen::Index i = 0; i < slabs.count(); ++i) {
    products.noalias() += slabs.slab(a, i) * slabs.slab(b, i).transpose();
  }
}

void permute(const Permutation& permutation, const Slabs& slabs, std::span<float> tensor) {
  const std::vector<float> before(tensor.begin(), tensor.end());
  for (Eigen::Index i = 0; i < slabs.count(); ++i) {
    float* to = tensor.data() + slabs.begin(i);
    const float* from = before.data() + slabs.begin(i);
    for (const int unit : permutation) {
      const float* const first = from + place_of(unit) * slabs.trail;
      to = is_negated(unit) ? std::transform(first, first + slabs.trail, to, std::negate<>())
                            : std::copy_n(first, slabs.trail, to);
    }
  }
}

/// `unit`, negated if `by` is.
int with_sign_of(int by, int unit) {
  return is_negated(by) ? ~unit : unit;
}

/// Error unless the action's slabs lie within its tensor.
void require_within(const SymmetryAction& action, const TensorSpec& tensor, const SymmetryGroup& group) {
  const std::int64_t extent = tensor.shape[action.axis];
  require(action.outer >= 1 && action.inner >= 1 && action.offset >= 0, "group ", group.name, " acts on ", tensor.name,
          " with outer ", action.outer, ", inner ", action.inner, " and offset ", action.offset,
          "; expected 1 or more, 1 or more, and 0 or more");
  const double end = action.offset + double{1} * action.outer * group.size * action.inner;  // which may be huge
  require(end <= static_cast<double>(extent), "axis ", action.axis, " of ", tensor.name, " has extent ", extent,
          ", but group ", group.name, " acts on ", end);
}

/// Error unless the groups are those of blocks that can be exchanged: each has as many, of the same sizes.
void require_like_blocks(std::span<const SymmetryGroup> groups, std::size_t parent) {
  std::map<int, std::vector<int>> sizes;  // of the groups within each block
  for (const SymmetryGroup& group : groups) {
    if (group.parent == parent) sizes[group.block].push_back(group.size);
  }
  if (sizes.empty()) return;
  const SymmetryGroup& whole = groups[parent];
  const bool alike = std::ranges::all_of(sizes, [&](const auto& b) { return b.second == sizes.begin()->second; });
  require(whole.kind == GroupKind::kPermutation && std::cmp_equal(sizes.size(), whole.size) && alike, "group ",
          whole.name, " exchanges ", whole.size, " blocks, which have not the same groups within them");
}

}  // namespace

SignedParts parts_of(const GroupElement& element) {
  SignedParts parts{element, element};
  for (std::size_t g = 0; g < element.size(); ++g) {
    for (std::size_t i = 0; i < element[g].size(); ++i) {
      const int place = place_of(element[g][i]);
      parts.negations[g][static_cast<std::size_t>(place)] = with_sign_of(element[g][i], place);
      parts.permutations[g][i] = place;
    }
  }
  return parts;
}

RelaxedElement to_matrices(const GroupElement& element) {
  RelaxedElement matrices;
  for (const Permutation& permutation : element) {
    const auto n = static_cast<Eigen::Index>(permutation.size());
    RowMatrix& p = matrices.emplace_back(RowMatrix::Zero(n, n));
    for (Eigen::Index i = 0; i < n; ++i) {
      const int unit = permutation[static_cast<std::size_t>(i)];
      p(i, place_of(unit)) = is_negated(unit) ? -1.0F : 1.0F;
    }
  }
  return matrices;
}

SymmetrySpec::SymmetrySpec(std::shared_ptr<const ParamLayout> layout, std::vector<SymmetryGroup> groups,
                           std::vector<SymmetryAction> actions)
    : layout_(std::move(layout)), groups_(std::move(groups)), actions_(std::move(actions)) {
  for (const SymmetryAction& action : actions_) {
    require(action.tensor < layout_->tensors().size(), "a symmetry acts on tensor ", action.tensor, " of ",
            layout_->tensors().size());
    const TensorSpec& tensor = layout_->tensors()[action.tensor];
    require(action.group < groups_.size() && action.axis < tensor.shape.size(), "a symmetry acts on axis ", action.axis,
            " of ", tensor.name, " by group ", action.group, ", which is not there");
    require_within(action, tensor, groups_[action.group]);
  }
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const SymmetryGroup& group = groups_[g];
    require(group.size >= 1 && std::cmp_less_equal(group.size, layout_->size()), "group ", group.name, " has ",
            group.size, " units; expected 1 to ", layout_->size(), ", the number of weights");
    if (!group.parent) continue;
    require(*group.parent > g && *group.parent < groups_.size() && group.block >= 0 &&
                group.block < groups_[*group.parent].size,
            "group ", group.name, " belongs to block ", group.block, " of group ", *group.parent,
            ", which must come later and have that block");
  }
  for (std::size_t g = 0; g < groups_.size(); ++g) require_like_blocks(groups_, g);
}

GroupElement SymmetrySpec::identity() const {
  GroupElement element;
  for (const SymmetryGroup& group : groups_) {
    Permutation& permutation = element.emplace_back(static_cast<std::size_t>(group.size));
    std::iota(permutation.begin(), permutation.end(), 0);
  }
  return element;
}

GroupElement SymmetrySpec::random(RandomStream& stream) const {
  GroupElement element = identity();
  for (std::size_t g = 0; g < element.size(); ++g) {
    stream.shuffle(std::span(element[g]));
    if (groups_[g].kind != GroupKind::kSigned) continue;
    for (int& unit : element[g]) unit = stream.below(2) == 0 ? unit : ~unit;
  }
  return element;
}

GroupElement SymmetrySpec::inverse(const GroupElement& element) const {
  GroupElement inverted = element;
  for (std::size_t g = 0; g < element.size(); ++g) {
    // What is undone within a block is undone where the block has gone.
    const Permutation& permutation = element[source_of(g, element)];
    for (std::size_t i = 0; i < permutation.size(); ++i) {
      inverted[g][static_cast<std::size_t>(place_of(permutation[i]))] =
          with_sign_of(permutation[i], static_cast<int>(i));
    }
  }
  return inverted;
}

GroupElement SymmetrySpec::compose(const GroupElement& second, const GroupElement& first) const {
  GroupElement both = first;
  for (std::size_t g = 0; g < both.size(); ++g) {
    // `second` acts within a block where `first` has put it.
    const std::size_t from = source_of(g, first);
    for (std::size_t i = 0; i < second[g].size(); ++i) {
      both[from][i] = with_sign_of(second[g][i], first[from][static_cast<std::size_t>(place_of(second[g][i]))]);
    }
  }
  return both;
}

std::vector<std::size_t> SymmetrySpec::groups_within(std::size_t parent, int block) const {
  std::vector<std::size_t> groups;
  for (std::size_t g = 0; g < parent; ++g) {
    if (groups_[g].parent == parent && groups_[g].block == block) groups.push_back(g);
  }
  return groups;
}

std::size_t SymmetrySpec::source_of(std::size_t group, const GroupElement& element) const {
  const SymmetryGroup& here = groups_[group];
  if (!here.parent) return group;
  const std::vector<std::size_t> siblings = groups_within(*here.parent, here.block);
  const auto place = std::find(siblings.begin(), siblings.end(), group) - siblings.begin();
  const int source = element[*here.parent][static_cast<std::size_t>(here.block)];
  return groups_within(*here.parent, source)[static_cast<std::size_t>(place)];
}

ParamVector SymmetrySpec::apply(const GroupElement& element, const ParamVector& weights) const {
  ParamVector moved = weights;
  apply(element, moved.flat());
  return moved;
}

void SymmetrySpec::apply(const GroupElement& element, std::span<float> weights) const {
  for (std::size_t group = 0; group < element.size(); ++group) apply(group, element[group], weights);
}

void SymmetrySpec::apply(std::size_t group, const Permutation& permutation, std::span<float> weights) const {
  if (is_identity(permutation)) return;
  for (const SymmetryAction& action : actions_) {
    if (action.group != group) continue;
    const TensorSpec& tensor = layout_->tensors()[action.tensor];
    permute(permutation, Slabs(tensor, action, groups_[group].size), weights.subspan(tensor.offset, tensor.size));
  }
}

RowMatrix SymmetrySpec::unit_products(std::size_t group, const ParamVector& a, const ParamVector& b) const {
  const int size = groups_[group].size;
  RowMatrix products = RowMatrix::Zero(size, size);
  for (const SymmetryAction& action : actions_) {
    if (action.group != group) continue;
    const Slabs slabs(layout_->tensors()[action.tensor], action, size);
    add_products(slabs, a.tensor(action.tensor).data(), b.tensor(action.tensor).data(), products);
  }
  return products;
}

struct RelaxedAction::Step {
  std::size_t tensor;
  std::size_t group;
  Slabs slabs;
  Eigen::VectorXf output;  // empty for the last of a chain, which writes to result_
};

RelaxedAction::RelaxedAction(const SymmetrySpec& spec, const ParamVector& weights)
    : weights_(&weights), result_(weights) {
  std::vector<std::vector<Step>> by_tensor(weights.layout().tensors().size());
  for (const SymmetryAction& action : spec.actions()) {
    const TensorSpec& tensor = weights.layout().tensors()[action.tensor];
    by_tensor[action.tensor].push_back(
        {action.tensor, action.group, Slabs(tensor, action, spec.groups()[action.group].size), {}});
  }
  for (std::vector<Step>& chain : by_tensor) {
    if (chain.empty()) continue;
    for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
      chain[i].output.resize(static_cast<Eigen::Index>(weights.tensor(chain[i].tensor).size()));
    }
    chains_.push_back(std::move(chain));
  }
}

RelaxedAction::~RelaxedAction() = default;

const ParamVector& RelaxedAction::apply(const RelaxedElement& element) {
  element_ = &element;
  for (std::vector<Step>& chain : chains_) {
    const float* input = weights_->tensor(chain.front().tensor).data();
    for (Step& step : chain) {
      float* output = &step == &chain.back() ? result_.tensor(step.tensor).data() : step.output.data();
      if (!step.slabs.whole) std::copy_n(input, weights_->tensor(step.tensor).size(), output);
      multiply(element[step.group], step.slabs, input, output);
      input = output;
    }
  }
  return result_;
}

void RelaxedAction::adjoint(const ParamVector& output_gradient, RelaxedElement& gradient) {
  Eigen::VectorXf pulled;
  Eigen::VectorXf next;
  for (const std::vector<Step>& chain : chains_) {
    const float* incoming = output_gradient.tensor(chain.front().tensor).data();
    for (std::size_t i = chain.size(); i-- > 0;) {
      const Step& step = chain[i];
      const float* input = i == 0 ? weights_->tensor(step.tensor).data() : chain[i - 1].output.data();
      add_products(step.slabs, incoming, input, gradient[step.group]);
      if (i == 0) break;
      next.resize(chain[i - 1].output.size());
      if (!step.slabs.whole) std::copy_n(incoming, next.size(), next.data());
      multiply_transposed((*element_)[step.group], step.slabs, incoming, next.data());
      pulled.swap(next);
      incoming = pulled.data();
    }
  }
}

}  // namespace fleet
