#include "torch/decision_transformer.hpp"

#include <array>

#include "torch/attention.hpp"
#include "torch/network.hpp"

namespace fleet {
namespace {

struct DecisionShape {
  int bodies = 1;
  int states = 0;   // numbers of all bodies' states
  int actions = 0;  // and actions
  int longest = 0;  // steps of an episode
  BlockShape blocks = {};
};

/// Every step is three tokens, what was done last, the return to go, and the state; behind the last of them stands what
/// is to be done, W x + b, where Chen et al. have its tanh: a linear head can be solved, and actions are clipped. So
/// the order of tokens is that of Chen et al. (return, state, action, return ...) with one more action before them.
/// Each kind of token has its own map, with columns of each body's own, of which those of the body at hand see numbers
/// other than zero: maps of several bodies side by side. All tokens are normalised together; then the time step is
/// added (Lawson and Qureshi, 2023).
class DecisionTransformer final : public Network {
 public:
  explicit DecisionTransformer(const DecisionShape& shape) : Network(blueprint_of(shape)), shape_(shape) {}

  int samples_at_once() const override { return 200; }

  torch::Tensor forward(const std::vector<torch::Tensor>& parameters, const torch::Tensor& inputs,
                        Pass& pass) const override {
    MapReader next{maps(), parameters, pass};
    const std::int64_t samples = inputs.size(0);
    const std::int64_t steps = inputs.size(1);
    const std::int64_t bodies = shape_.bodies;
    const std::int64_t tokens = 3;
    const torch::Tensor rows = inputs.flatten(0, 1);
    const auto seen = [&](std::int64_t begin, std::int64_t size) { return rows.narrow(1, begin, size); };
    const std::array<torch::Tensor, 3> parts = {seen(2 * bodies + shape_.states, bodies + shape_.actions),
                                                seen(0, 2 * bodies), seen(bodies, bodies + shape_.states)};
    std::vector<torch::Tensor> embedded;
    for (const torch::Tensor& part : parts) {
      if (pass.ends_at(next.map, part)) return {};
      embedded.push_back(pass.probed(torch::linear(part, parameters[maps()[next.map++].weights.front()])));
    }
    torch::Tensor x = torch::stack(embedded, 1);
    x = torch::layer_norm(x, {shape_.blocks.width}, parameters[kNorm], parameters[kNorm + 1]);
    const torch::Tensor now = rows.select(1, rows.size(1) - 1).to(torch::kInt64);
    const torch::Tensor times = torch::stack({(now - 1).clamp_min(0), now, now}, 1).flatten();
    x = x.flatten(0, 1) + parameters[kTimes].index_select(0, times);
    x = run_blocks(shape_.blocks, next, x, samples, steps * tokens);
    if (!x.defined()) return {};
    torch::Tensor outputs;
    (void)next.apply(x.view({samples * steps, tokens, -1}).select(1, tokens - 1), outputs);
    return outputs;
  }

 private:
  // Positions of tensors behind those of the embedding.
  static constexpr std::size_t kNorm = 3;
  static constexpr std::size_t kTimes = 5;

  static Blueprint blueprint_of(const DecisionShape& shape) {
    constexpr double kDeviation = 0.02;  // of the time steps' first weights
    Blueprint blueprint;
    const int width = shape.blocks.width;
    const Features stream{.size = width, .group = blueprint.add_group("stream", width)};
    for (const auto& [name, numbers] : {std::pair{"actions", shape.bodies + shape.actions},
                                        {"returns", 2 * shape.bodies},
                                        {"states", shape.bodies + shape.states}}) {
      const std::string tensor = std::string("embedding.") + name;
      const std::size_t table = blueprint.add(tensor, {width, numbers}, Fill::fan_in(numbers / shape.bodies));
      blueprint.act(table, 0, stream);
      blueprint.maps.push_back({.name = tensor, .weights = {table}, .sees_data = true});
    }
    blueprint.add_layer_norm("embedding.norm", stream);
    blueprint.act(blueprint.add("embedding.times", {shape.longest, width}, Fill::normal(kDeviation)), 1, stream);
    add_blocks(blueprint, shape.blocks, stream);
    blueprint.add_layer("head", stream, {.size = shape.actions, .group = std::nullopt});
    return blueprint;
  }

  DecisionShape shape_;
};

constexpr std::array<std::pair<std::string_view, BlockActivation>, 2> kBlockActivations{
    {{"gelu", BlockActivation::kGelu}, {"relu", BlockActivation::kRelu}}};

}  // namespace

std::shared_ptr<const Network> make_decision_transformer(SettingsReader& settings, const NetworkShape& data) {
  DecisionShape shape{.bodies = data.bodies, .states = data.states, .actions = data.outputs, .longest = data.longest};
  shape.blocks = read_block_shape(settings, 1);
  shape.blocks.activation = BlockActivation::kGelu;
  settings.read("model.activation", shape.blocks.activation, Names<BlockActivation>(kBlockActivations),
                "Activation of the blocks' feedforward parts.");
  return std::make_shared<DecisionTransformer>(shape);
}

}  // namespace fleet
