#include "torch/transformer.hpp"

#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "torch/network.hpp"
#include "torch/point_encoder.hpp"

namespace fleet {
namespace {

struct TransformerShape {
  int inputs = 0;       // symbols, or features of a step
  bool symbols = true;  // else vectors
  int outputs = 0;
  int steps = 0;
  int layers = 2;
  int width = 64;
  int heads = 4;
  int feedforward = 0;
  std::optional<PointEncoder> points = {};  // of steps that are clouds
};

/// Blocks of causal self-attention and a perceptron, each normalised before it (Xiong et al., 2020), between an
/// embedding of symbols (or vectors) and positions and a linear layer.
class Transformer final : public Network {
 public:
  explicit Transformer(const TransformerShape& shape) : Network(blueprint_of(shape)), shape_(shape) {}

  int samples_at_once() const override { return 200; }

  torch::Tensor forward(const std::vector<torch::Tensor>& parameters, const torch::Tensor& inputs,
                        Pass& pass) const override {
    Reader next{maps(), parameters, pass};
    const std::int64_t samples = inputs.size(0);
    const std::int64_t steps = inputs.size(1);
    torch::Tensor seen = inputs;
    if (shape_.points) {
      seen = shape_.points->encode(parameters, inputs.flatten(0, 1), pass);
      if (!seen.defined()) return {};
      seen = seen.view({samples, steps, -1});
      next.map = shape_.points->maps();
    }
    if (pass.stop_before == next.map && pass.ends_at(next.map, with_positions(seen))) return {};
    const AffineMap& embedding = maps()[next.map++];
    const torch::Tensor& table = parameters[embedding.weights[0]];
    torch::Tensor x =
        (shape_.symbols ? table.t().index_select(0, seen.flatten()) : torch::linear(seen.flatten(0, 1), table)) +
        parameters[embedding.weights[1]].t().narrow(0, 0, steps).repeat({samples, 1});
    x = pass.probed(x);
    const torch::Tensor mask =
        torch::full({steps, steps}, -std::numeric_limits<float>::infinity(), x.options()).triu_(1);
    for (int layer = 0; layer < shape_.layers; ++layer) {
      torch::Tensor y = normalised(x, parameters, next.norm_before());
      torch::Tensor query;
      torch::Tensor key;
      torch::Tensor value;
      if (!next.apply(y, query) || !next.apply(y, key) || !next.apply(y, value)) return {};
      y = attend(query, key, value, mask, samples, steps);
      if (!next.apply(y, y)) return {};
      x = x + y;
      y = normalised(x, parameters, next.norm_before());
      if (!next.apply(y, y) || !next.apply(y.relu_(), y)) return {};
      x = x + y;
    }
    torch::Tensor outputs;
    (void)next.apply(normalised(x, parameters, next.norm_before()), outputs);
    return outputs;
  }

 private:
  /// Goes through the maps in order.
  struct Reader {
    const std::vector<AffineMap>& maps;
    const std::vector<torch::Tensor>& parameters;
    Pass& pass;
    std::size_t map = 0;

    /// The scale of the layer normalisation that comes before the next map.
    std::size_t norm_before() const { return maps[map].weights.front() - 2; }
    /// Whether the pass goes on.
    bool apply(const torch::Tensor& inputs, torch::Tensor& outputs) {
      if (pass.ends_at(map, inputs)) return false;
      const AffineMap& layer = maps[map++];
      outputs = pass.probed(torch::linear(inputs, parameters[layer.weights.front()], parameters[*layer.bias]));
      return true;
    }
  };

  torch::Tensor with_positions(const torch::Tensor& inputs) const {
    const torch::Tensor vectors = shape_.symbols ? torch::one_hot(inputs, shape_.inputs).to(torch::kFloat32) : inputs;
    const torch::Tensor positions = torch::eye(shape_.steps, vectors.options()).narrow(0, 0, inputs.size(1));
    return torch::cat({vectors, positions.expand({inputs.size(0), -1, -1})}, 2).flatten(0, 1);
  }

  static torch::Tensor normalised(const torch::Tensor& x, const std::vector<torch::Tensor>& parameters,
                                  std::size_t scale) {
    return torch::layer_norm(x, {x.size(1)}, parameters[scale], parameters[scale + 1]);
  }

  /// softmax(Q K^T / sqrt(d) + mask) V, head by head; rows are samples x steps.
  torch::Tensor attend(const torch::Tensor& query, const torch::Tensor& key, const torch::Tensor& value,
                       const torch::Tensor& mask, std::int64_t samples, std::int64_t steps) const {
    const auto by_head = [&](const torch::Tensor& rows) {
      return rows.view({samples, steps, shape_.heads, -1}).transpose(1, 2);
    };
    const double scale = 1.0 / std::sqrt(static_cast<double>(shape_.width) / shape_.heads);
    const torch::Tensor scores = torch::matmul(by_head(query) * scale, by_head(key).transpose(2, 3)) + mask;
    return torch::matmul(torch::softmax(scores, 3), by_head(value)).transpose(1, 2).reshape({samples * steps, -1});
  }

  /// One group permutes the residual stream everywhere. In each block heads permute; within a head the dimensions of
  /// queries and keys permute together, those of values on their own; the perceptron's units permute.
  static Blueprint blueprint_of(const TransformerShape& shape) {
    Blueprint blueprint;
    const Features stream{.size = shape.width, .group = blueprint.add_group("stream", shape.width)};
    Features from{.size = shape.inputs, .group = std::nullopt};
    if (shape.points) from = shape.points->add_to(blueprint);
    const std::size_t table =
        blueprint.add(shape.symbols ? "embedding.symbols" : "embedding.inputs", {shape.width, from.size},
                      shape.symbols ? Fill::normal(1.0) : Fill::fan_in(from.size));
    blueprint.act(table, 1, from);
    const std::size_t positions = blueprint.add("embedding.positions", {shape.width, shape.steps}, Fill::normal(0.1));
    for (const std::size_t tensor : {table, positions}) blueprint.act(tensor, 0, stream);
    blueprint.maps.push_back({.name = "embedding", .weights = {table, positions}, .sees_data = !shape.points});
    for (int layer = 0; layer < shape.layers; ++layer) {
      const std::string name = "blocks." + std::to_string(layer);
      add_attention(blueprint, name + ".attention", shape, stream);
      const Features inner{.size = shape.feedforward, .group = blueprint.add_group(name + ".units", shape.feedforward)};
      blueprint.add_layer_norm(name + ".norm", stream);
      blueprint.add_layer(name + ".in", stream, inner);
      blueprint.add_layer(name + ".out", inner, stream);
    }
    blueprint.add_layer_norm("norm", stream);
    blueprint.add_layer("decoder", stream, {.size = shape.outputs, .group = std::nullopt});
    return blueprint;
  }

  static void add_attention(Blueprint& blueprint, const std::string& name, const TransformerShape& shape,
                            const Features& stream) {
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

  TransformerShape shape_;
};

}  // namespace

std::shared_ptr<const Network> make_transformer(SettingsReader& settings, const NetworkShape& data) {
  TransformerShape shape{.inputs = data.inputs,
                         .symbols = data.input == NetworkShape::Input::kText,
                         .outputs = data.outputs,
                         .steps = data.steps};
  if (data.points > 0) shape.points = PointEncoder::read(settings, data);
  settings.read("model.layers", shape.layers, between(1, 256), "Attention blocks.");
  settings.read("model.width", shape.width, between(1, 100'000), "Width of the residual stream.");
  settings.read("model.heads", shape.heads, between(1, 256), "Attention heads of a block; they divide the width.");
  shape.feedforward = 4 * shape.width;
  settings.read("model.feedforward", shape.feedforward, between(1, kWidest), "Width of a block's feedforward part.");
  if (shape.width % shape.heads != 0) {
    reject("model.heads", settings.resolved().at("model.heads"),
           cat("it must divide model.width, which is ", shape.width));
  }
  return std::make_shared<Transformer>(shape);
}

}  // namespace fleet
