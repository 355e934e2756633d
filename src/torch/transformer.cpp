#include "torch/transformer.hpp"

#include "torch/attention.hpp"
#include "torch/network.hpp"
#include "torch/point_encoder.hpp"

namespace fleet {
namespace {

struct TransformerShape {
  int inputs = 0;       // symbols, or features of a step
  bool symbols = true;  // else vectors
  int outputs = 0;
  int steps = 0;
  BlockShape blocks = {};
  std::optional<PointEncoder> points = {};  // of steps that are clouds
};

/// Blocks between an embedding of symbols (or vectors) and positions and a linear layer.
class Transformer final : public Network {
 public:
  explicit Transformer(const TransformerShape& shape) : Network(blueprint_of(shape)), shape_(shape) {}

  int samples_at_once() const override { return 200; }

  torch::Tensor forward(const std::vector<torch::Tensor>& parameters, const torch::Tensor& inputs,
                        Pass& pass) const override {
    MapReader next{maps(), parameters, pass};
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
    x = run_blocks(shape_.blocks, next, pass.probed(x), samples, steps);
    if (!x.defined()) return {};
    torch::Tensor outputs;
    (void)next.apply(pass.counted(x), outputs);
    return outputs;
  }

 private:
  torch::Tensor with_positions(const torch::Tensor& inputs) const {
    const torch::Tensor vectors = shape_.symbols ? torch::one_hot(inputs, shape_.inputs).to(torch::kFloat32) : inputs;
    const torch::Tensor positions = torch::eye(shape_.steps, vectors.options()).narrow(0, 0, inputs.size(1));
    return torch::cat({vectors, positions.expand({inputs.size(0), -1, -1})}, 2).flatten(0, 1);
  }

  static Blueprint blueprint_of(const TransformerShape& shape) {
    Blueprint blueprint;
    const int width = shape.blocks.width;
    const Features stream{.size = width, .group = blueprint.add_group("stream", width)};
    Features from{.size = shape.inputs, .group = std::nullopt};
    if (shape.points) from = shape.points->add_to(blueprint);
    const std::size_t table =
        blueprint.add(shape.symbols ? "embedding.symbols" : "embedding.inputs", {width, from.size},
                      shape.symbols ? Fill::normal(1.0) : Fill::fan_in(from.size));
    blueprint.act(table, 1, from);
    const std::size_t positions = blueprint.add("embedding.positions", {width, shape.steps}, Fill::normal(0.1));
    for (const std::size_t tensor : {table, positions}) blueprint.act(tensor, 0, stream);
    blueprint.maps.push_back({.name = "embedding", .weights = {table, positions}, .sees_data = !shape.points});
    add_blocks(blueprint, shape.blocks, stream);
    blueprint.add_layer("decoder", stream, {.size = shape.outputs, .group = std::nullopt});
    return blueprint;
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
  constexpr int kHeads = 4;
  shape.blocks = read_block_shape(settings, kHeads);
  return std::make_shared<Transformer>(shape);
}

}  // namespace fleet
