// What a network is made of, put together tensor by tensor: layout, first weights, symmetry and affine maps in one go.
// Seen only inside src/torch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/affine_map.hpp"
#include "model/symmetry.hpp"

namespace fleet {

/// How a tensor's first weights are drawn.
struct Fill {
  enum class Kind { kConstant, kUniform, kNormal };
  Kind kind = Kind::kConstant;
  double size = 0.0;  ///< the constant, the bound (uniform in (-bound, bound)) or the standard deviation

  static Fill constant(double value) { return {Kind::kConstant, value}; }
  static Fill normal(double deviation) { return {Kind::kNormal, deviation}; }
  /// U(-1 / sqrt(inputs), 1 / sqrt(inputs)), as torch::nn::Linear and its like for weights and biases.
  static Fill fan_in(std::int64_t inputs);
};

enum class NormKind { kNone, kBatch, kLayer, kGroup };

/// Features that follow a layer: how many, and the group, if any, that permutes them, each with `inner` neighbours (the
/// pixels of a channel that was flattened, or units of a block that have groups of their own, `within`).
struct Features {
  std::int64_t size = 0;
  std::optional<std::size_t> group;
  int inner = 1;
  std::vector<std::size_t> within;
};

struct Blueprint {
  std::shared_ptr<ParamLayout> layout = std::make_shared<ParamLayout>();
  std::vector<Fill> fills;  ///< one per tensor
  std::vector<SymmetryGroup> groups;
  std::vector<SymmetryAction> actions;
  std::vector<AffineMap> maps;

  std::size_t add(std::string name, std::vector<std::int64_t> shape, Fill fill);
  std::size_t add_group(std::string name, std::int64_t size, GroupKind kind = GroupKind::kPermutation);
  /// `size` units that permute or, with more than one block, blocks of units that permute, each with units that do.
  Features add_units(const std::string& name, int size, int blocks = 1);
  /// Nothing if `features` have no group. `outer` blocks of them lie on the axis.
  void act(std::size_t tensor, std::size_t axis, const Features& features, int outer = 1);

  /// "<name>.weight" (to x from, or to x from x kernel x kernel) and, but for a batch norm, "<name>.bias", as one map;
  /// with a norm its tensors "<name>.scale", ".shift" (and ".mean", ".variance").
  void add_layer(const std::string& name, const Features& from, const Features& to, NormKind norm = NormKind::kNone,
                 int kernel = 0);
  /// "<name>.scale" and "<name>.shift" of a layer normalisation; the position of the first.
  std::size_t add_layer_norm(const std::string& name, const Features& features);
};

}  // namespace fleet
