#include "torch/blueprint.hpp"

#include <cmath>

namespace fleet {

Fill Fill::fan_in(std::int64_t inputs) {
  return {Kind::kUniform, 1.0 / std::sqrt(static_cast<double>(inputs))};
}

std::size_t Blueprint::add(std::string name, std::vector<std::int64_t> shape, Fill fill) {
  layout->add(std::move(name), std::move(shape));
  fills.push_back(fill);
  return fills.size() - 1;
}

std::size_t Blueprint::add_group(std::string name, std::int64_t size, GroupKind kind) {
  groups.push_back({.name = std::move(name), .size = static_cast<int>(size), .kind = kind});
  return groups.size() - 1;
}

Features Blueprint::add_units(const std::string& name, int size, int blocks) {
  if (blocks == 1 || blocks == size) return {.size = size, .group = add_group(name, size)};
  Features units{.size = size, .inner = size / blocks};
  for (int block = 0; block < blocks; ++block) {
    units.within.push_back(add_group(name + ".block." + std::to_string(block), units.inner));
    groups.back().block = block;
  }
  units.group = add_group(name, blocks);
  for (const std::size_t group : units.within) groups[group].parent = units.group;
  return units;
}

void Blueprint::act(std::size_t tensor, std::size_t axis, const Features& features, int outer) {
  if (!features.group) return;
  int offset = 0;
  for (const std::size_t group : features.within) {
    actions.push_back({.tensor = tensor, .axis = axis, .group = group, .offset = offset});
    offset += features.inner;
  }
  actions.push_back(
      {.tensor = tensor, .axis = axis, .group = *features.group, .outer = outer, .inner = features.inner});
}

void Blueprint::add_layer(const std::string& name, const Features& from, const Features& to, NormKind norm,
                          int kernel) {
  const std::int64_t inputs = from.size * (kernel > 0 ? std::int64_t{kernel} * kernel : 1);
  std::vector<std::int64_t> shape{to.size, from.size};
  if (kernel > 0) shape.insert(shape.end(), {kernel, kernel});
  AffineMap map{.name = name, .sees_data = maps.empty()};
  map.weights = {add(name + ".weight", shape, Fill::fan_in(inputs))};
  act(map.weights.front(), 0, to);
  act(map.weights.front(), 1, from);
  if (norm != NormKind::kBatch) {
    map.bias = add(name + ".bias", {to.size}, Fill::fan_in(inputs));
    act(*map.bias, 0, to);
  }
  if (norm != NormKind::kNone) {
    const std::size_t scale = add_layer_norm(name, to);
    if (norm == NormKind::kBatch) {
      map.norm = BatchNorm{.scale = scale,
                           .shift = scale + 1,
                           .mean = add(name + ".mean", {to.size}, Fill::constant(0.0)),
                           .variance = add(name + ".variance", {to.size}, Fill::constant(1.0))};
      act(map.norm->mean, 0, to);
      act(map.norm->variance, 0, to);
    }
  }
  maps.push_back(std::move(map));
}

std::size_t Blueprint::add_layer_norm(const std::string& name, const Features& features) {
  const std::size_t scale = add(name + ".scale", {features.size}, Fill::constant(1.0));
  const std::size_t shift = add(name + ".shift", {features.size}, Fill::constant(0.0));
  act(scale, 0, features);
  act(shift, 0, features);
  return scale;
}

}  // namespace fleet
