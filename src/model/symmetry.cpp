#include "model/symmetry.hpp"

#include <algorithm>
#include <numeric>

#include "base/error.hpp"

namespace fleet {
namespace {

/// A tensor seen by one action: `lead` slabs of `units` rows of `trail` elements.
struct Slabs {
  Eigen::Index lead = 1;
  Eigen::Index units = 1;
  Eigen::Index trail = 1;
};

Slabs slabs_of(const TensorSpec& tensor, const SymmetryAction& action, int units) {
  Slabs slabs{action.outer, units, action.inner};
  for (std::size_t axis = 0; axis < tensor.shape.size(); ++axis) {
    if (axis < action.axis) slabs.lead *= tensor.shape[axis];
    if (axis > action.axis) slabs.trail *= tensor.shape[axis];
  }
  return slabs;
}

/// out = P in, slab by slab; with one element per unit the slabs together are one matrix.
void multiply(const RowMatrix& p, const Slabs& slabs, const float* in, float* out) {
  if (slabs.trail == 1) {
    MatrixView(out, slabs.lead, slabs.units).noalias() = ConstMatrixView(in, slabs.lead, slabs.units) * p.transpose();
    return;
  }
  const Eigen::Index stride = slabs.units * slabs.trail;
  for (Eigen::Index l = 0; l < slabs.lead; ++l) {
    MatrixView(out + l * stride, slabs.units, slabs.trail).noalias() =
        p * ConstMatrixView(in + l * stride, slabs.units, slabs.trail);
  }
}

/// The adjoint of multiply() in its input: out = P^T in.
void multiply_transposed(const RowMatrix& p, const Slabs& slabs, const float* in, float* out) {
  if (slabs.trail == 1) {
    MatrixView(out, slabs.lead, slabs.units).noalias() = ConstMatrixView(in, slabs.lead, slabs.units) * p;
    return;
  }
  const Eigen::Index stride = slabs.units * slabs.trail;
  for (Eigen::Index l = 0; l < slabs.lead; ++l) {
    MatrixView(out + l * stride, slabs.units, slabs.trail).noalias() =
        p.transpose() * ConstMatrixView(in + l * stride, slabs.units, slabs.trail);
  }
}

/// products += sum over slabs of a b^T. With a = dL/d out and b = in the adjoint of multiply() in P.
void add_products(const Slabs& slabs, const float* a, const float* b, RowMatrix& products) {
  if (slabs.trail == 1) {
    products.noalias() +=
        ConstMatrixView(a, slabs.lead, slabs.units).transpose() * ConstMatrixView(b, slabs.lead, slabs.units);
    return;
  }
  const Eigen::Index stride = slabs.units * slabs.trail;
  for (Eigen::Index l = 0; l < slabs.lead; ++l) {
    products.noalias() += ConstMatrixView(a + l * stride, slabs.units, slabs.trail) *
                          ConstMatrixView(b + l * stride, slabs.units, slabs.trail).transpose();
  }
}

void permute(const Permutation& permutation, const Slabs& slabs, std::span<float> tensor) {
  const std::vector<float> before(tensor.begin(), tensor.end());
  const auto trail = static_cast<std::size_t>(slabs.trail);
  std::size_t to = 0;
  for (std::size_t l = 0; l < static_cast<std::size_t>(slabs.lead); ++l) {
    for (const int unit : permutation) {
      const std::size_t from = (l * permutation.size() + static_cast<std::size_t>(unit)) * trail;
      std::copy_n(before.begin() + static_cast<std::ptrdiff_t>(from), trail,
                  tensor.begin() + static_cast<std::ptrdiff_t>(to));
      to += trail;
    }
  }
}

}  // namespace

RelaxedElement to_matrices(const GroupElement& element) {
  RelaxedElement matrices;
  for (const Permutation& permutation : element) {
    const auto n = static_cast<Eigen::Index>(permutation.size());
    RowMatrix& p = matrices.emplace_back(RowMatrix::Zero(n, n));
    for (Eigen::Index i = 0; i < n; ++i) p(i, permutation[static_cast<std::size_t>(i)]) = 1.0F;
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
    const std::int64_t extent = std::int64_t{action.outer} * groups_[action.group].size * action.inner;
    require(extent == tensor.shape[action.axis], "axis ", action.axis, " of ", tensor.name, " has extent ",
            tensor.shape[action.axis], ", but group ", groups_[action.group].name, " acts on ", extent);
  }
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
  for (Permutation& permutation : element) stream.shuffle(std::span(permutation));
  return element;
}

GroupElement SymmetrySpec::inverse(const GroupElement& element) {
  GroupElement inverted = element;
  for (std::size_t g = 0; g < element.size(); ++g) {
    for (std::size_t i = 0; i < element[g].size(); ++i) {
      inverted[g][static_cast<std::size_t>(element[g][i])] = static_cast<int>(i);
    }
  }
  return inverted;
}

GroupElement SymmetrySpec::compose(const GroupElement& second, const GroupElement& first) {
  GroupElement both = second;
  for (std::size_t g = 0; g < both.size(); ++g) {
    for (int& unit : both[g]) unit = first[g][static_cast<std::size_t>(unit)];
  }
  return both;
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
  for (const SymmetryAction& action : actions_) {
    if (action.group != group) continue;
    const TensorSpec& tensor = layout_->tensors()[action.tensor];
    permute(permutation, slabs_of(tensor, action, groups_[group].size), weights.subspan(tensor.offset, tensor.size));
  }
}

RowMatrix SymmetrySpec::unit_products(std::size_t group, const ParamVector& a, const ParamVector& b) const {
  const int size = groups_[group].size;
  RowMatrix products = RowMatrix::Zero(size, size);
  for (const SymmetryAction& action : actions_) {
    if (action.group != group) continue;
    const Slabs slabs = slabs_of(layout_->tensors()[action.tensor], action, size);
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
        {action.tensor, action.group, slabs_of(tensor, action, spec.groups()[action.group].size), {}});
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
      multiply_transposed((*element_)[step.group], step.slabs, incoming, next.data());
      pulled.swap(next);
      incoming = pulled.data();
    }
  }
}

}  // namespace fleet
