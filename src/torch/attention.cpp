#include "torch/attention.hpp"

#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "torch/models.hpp"

namespace fleet {
namespace {

void add_attention(Blueprint& blueprint, const std::string& name, const BlockShape& shape, const Features& stream) {
  const int dimensions = shape.width / shape.heads;
  std::vector<std::size_t> inside;  // per head, of queries and keys, then of values
  for (int head = 0; head < shape.heads; ++head) {
    for (const char* what : {".query_key.", ".value."}) {
      inside.push_back(blueprint.add_group(name + what + std::to_string(head), dimensions));
      blueprint.groups.back().block = head;
    }
  }
  const std::size_t heads = blueprint.add_group(name + ".heads", shape.heads);
  for (const std::size_t group : inside) blueprint.groups[group].parent = heads;
  const Features all{.size = shape.width, .group = heads, .inner = dimensions};

  blueprint.add_layer_norm(name + ".norm", stream);
  const std::size_t query = blueprint.maps.size();
  const Features plain{.size = shape.width, .group = std::nullopt};
  for (const char* what : {".query", ".key", ".value"}) blueprint.add_layer(name + what, stream, plain);
  blueprint.add_layer(name + ".out", plain, stream);
  const auto act_on_heads = [&](std::size_t tensor, std::size_t axis, std::size_t which) {
    for (int head = 0; head < shape.heads; ++head) {
      blueprint.actions.push_back({.tensor = tensor,
                                   .axis = axis,
                                   .group = inside[static_cast<std::size_t>(head) * 2 + which],
                                   .offset = head * dimensions});
    }
    blueprint.act(tensor, axis, all);
  };
  for (std::size_t map = query; map < query + 3; ++map) {
    const std::size_t which = map == query + 2 ? 1 : 0;
    act_on_heads(blueprint.maps[map].weights.front(), 0, which);
    act_on_heads(*blueprint.maps[map].bias, 0, which);
  }
  act_on_heads(blueprint.maps[query + 3].weights.front(), 1, 1);
}

/// softmax(Q K^T / sqrt(d) + mask) V, head by head; rows are samples x steps.
torch::Tensor attend(const torch::Tensor& query, const torch::Tensor& key, const torch::Tensor& value,
                     const torch::Tensor& mask, const BlockShape& shape, std::int64_t samples, std::int64_t steps) {
  const auto by_head = [&](const torch::Tensor& rows) {
    return rows.view({samples, steps, shape.heads, -1}).transpose(1, 2);
  };
  const double scale = 1.0 / std::sqrt(static_cast<double>(shape.width) / shape.heads);
  const torch::Tensor scores = torch::matmul(by_head(query) * scale, by_head(key).transpose(2, 3)) + mask;
  return torch::matmul(torch::softmax(scores, 3), by_head(value)).transpose(1, 2).reshape({samples * steps, -1});
}

torch::Tensor activated(torch::Tensor& x, BlockActivation activation) {
  return activation == BlockActivation::kGelu ? torch::gelu(x) : x.relu_();
}

}  // namespace

BlockShape read_block_shape(SettingsReader& settings, int heads) {
  BlockShape shape{.heads = heads};
  settings.read("model.layers", shape.layers, between(1, 256), "Attention blocks.");
  settings.read("model.width", shape.width, between(1, 100'000), "Width of the residual stream.");
  settings.read("model.heads", shape.heads, between(1, 256), "Attention heads of a block; they divide the width.");
  shape.feedforward = 4 * shape.width;
  settings.read("model.feedforward", shape.feedforward, between(1, kWidest), "Width of a block's feedforward part.");
  if (shape.width % shape.heads != 0) {
    reject("model.heads", settings.resolved().at("model.heads"),
           cat("it must divide model.width, which is ", shape.width));
  }
  return shape;
}

void add_blocks(Blueprint& blueprint, const BlockShape& shape, const Features& stream) {
  for (int layer = 0; layer < shape.layers; ++layer) {
    const std::string name = "blocks." + std::to_string(layer);
    add_attention(blueprint, name + ".attention", shape, stream);
    const Features inner{.size = shape.feedforward, .group = blueprint.add_group(name + ".units", shape.feedforward)};
    blueprint.add_layer_norm(name + ".norm", stream);
    blueprint.add_layer(name + ".in", stream, inner);
    blueprint.add_layer(name + ".out", inner, stream);
  }
  blueprint.add_layer_norm("norm", stream);
}

bool MapReader::apply(const torch::Tensor& inputs, torch::Tensor& outputs) {
  if (pass.ends_at(map, inputs)) return false;
  const AffineMap& layer = maps[map++];
  outputs = pass.probed(torch::linear(inputs, parameters[layer.weights.front()], parameters[*layer.bias]));
  return true;
}

torch::Tensor MapReader::normalised(const torch::Tensor& x) const {
  const std::size_t scale = maps[map].weights.front() - 2;  // that of the norm lies before the map
  return torch::layer_norm(x, {x.size(1)}, parameters[scale], parameters[scale + 1]);
}

torch::Tensor run_blocks(const BlockShape& shape, MapReader& next, torch::Tensor x, std::int64_t samples,
                         std::int64_t steps) {
  const torch::Tensor mask = torch::full({steps, steps}, -std::numeric_limits<float>::infinity(), x.options()).triu_(1);
  for (int layer = 0; layer < shape.layers; ++layer) {
    torch::Tensor y = next.normalised(x);
    torch::Tensor query;
    torch::Tensor key;
    torch::Tensor value;
    if (!next.apply(y, query) || !next.apply(y, key) || !next.apply(y, value)) return {};
    y = attend(query, key, value, mask, shape, samples, steps);
    if (!next.apply(y, y)) return {};
    x = x + y;
    y = next.normalised(x);
    if (!next.apply(y, y) || !next.apply(activated(y, shape.activation), y)) return {};
    x = x + y;
  }
  return next.normalised(x);
}

}  // namespace fleet
