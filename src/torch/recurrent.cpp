#include "torch/recurrent.hpp"

#include "base/error.hpp"
#include "torch/network.hpp"
#include "torch/point_encoder.hpp"
#include "torch/unrolled.hpp"

namespace fleet {
namespace {

struct RecurrentShape {
  Cell cell = Cell::kTanh;
  int inputs = 0;     // symbols, or features of a step
  int embedding = 0;  // of symbols; 0: one-hot
  std::vector<int> hidden;
  int outputs = 0;
  GroupKind units = GroupKind::kPermutation;  // what may be done to those of a layer, and to embedded dimensions
  std::optional<PointEncoder> points = {};    // of steps that are clouds
};

/// Stacked recurrent layers, behind an embedding if they are for symbols or a PointEncoder if for clouds, before a
/// linear layer. One bias a gate suffices, but for a GRU, which has one for the inputs and one for the state
/// (CellWeights).
class Recurrent final : public Network {
 public:
  explicit Recurrent(const RecurrentShape& shape) : Network(blueprint_of(shape)), shape_(shape) {}

  bool carries_state() const override { return true; }
  int samples_at_once() const override { return 100; }

  torch::Tensor forward(const std::vector<torch::Tensor>& parameters, const torch::Tensor& inputs,
                        Pass& pass) const override {
    torch::Tensor x;
    std::size_t map = 0;
    std::size_t tensor = 0;
    if (shape_.embedding > 0) {
      if (pass.stop_before == map && pass.ends_at(map, vectors(inputs).flatten(0, 1))) return {};
      x = parameters[tensor++].t().index_select(0, inputs.flatten()).view({inputs.size(0), inputs.size(1), -1});
      x = pass.probed(x);
      ++map;
    } else if (shape_.points) {
      x = shape_.points->encode(parameters, inputs.flatten(0, 1), pass);
      if (!x.defined()) return {};
      x = x.view({inputs.size(0), inputs.size(1), -1});
      map = shape_.points->maps();
      tensor = 2 * map;
    } else {
      x = vectors(inputs);
    }
    std::vector<torch::Tensor> unused;
    std::vector<torch::Tensor>& state = pass.state != nullptr ? *pass.state : unused;
    if (state.empty()) state = zero_state(inputs.size(0), x.options());
    const bool gru = shape_.cell == Cell::kGru;
    torch::Tensor* layer_state = state.data();
    for (std::size_t l = 0; l < shape_.hidden.size(); ++l) {
      const torch::Tensor before = *layer_state;
      if (gru && pass.stop_before == map && pass.ends_at(map, x.flatten(0, 1))) return {};
      map += gru ? 1 : 0;
      CellWeights weights{.input = parameters[tensor],
                          .recurrent = parameters[tensor + 1],
                          .bias = parameters[tensor + 2],
                          .state_bias = gru ? c10::make_optional(parameters[tensor + 3]) : c10::nullopt};
      if (pass.probes != nullptr) probe(pass, gru, weights, x);
      torch::Tensor y = unroll(shape_.cell, weights, x, layer_state);
      if (pass.stop_before == map) {
        const torch::Tensor earlier = torch::cat({before.unsqueeze(1), y.narrow(1, 0, y.size(1) - 1)}, 1);
        (void)pass.ends_at(map, (gru ? earlier : torch::cat({x, earlier}, 2)).flatten(0, 1));
        return {};
      }
      layer_state += states_of(shape_.cell);
      tensor += gru ? 4 : 3;
      ++map;
      x = std::move(y);
    }
    const torch::Tensor rows = pass.counted(x.flatten(0, 1));
    if (pass.ends_at(map, rows)) return {};
    return pass.probed(torch::linear(rows, parameters[tensor], parameters[tensor + 1]));
  }

 private:
  /// What a cell's gates sum is probed by inputs of zero that count once. A GRU's second map, of the state, shares the
  /// probe of the first: where its reset gate is open, the gradients are the same, and else smaller.
  static void probe(Pass& pass, bool gru, CellWeights& weights, torch::Tensor& x) {
    const torch::Tensor zeros = pass.probed(torch::zeros({x.size(0), x.size(1), weights.bias.size(0)}, x.options()));
    if (gru) pass.probes->push_back(pass.probes->back());
    x = torch::cat({x, zeros}, 2);
    weights.input = torch::cat({weights.input, torch::eye(weights.bias.size(0), x.options())}, 1);
  }

  torch::Tensor vectors(const torch::Tensor& inputs) const {
    return inputs.is_floating_point() ? inputs : torch::one_hot(inputs, shape_.inputs).to(torch::kFloat32);
  }

  std::vector<torch::Tensor> zero_state(std::int64_t lanes, const torch::TensorOptions& options) const {
    std::vector<torch::Tensor> state;
    for (const int width : shape_.hidden) {
      for (int i = 0; i < states_of(shape_.cell); ++i) state.push_back(torch::zeros({lanes, width}, options));
    }
    return state;
  }

  /// A layer's units are a group that acts on its recurrent weights from both sides, gate by gate
  /// (W -> P W P^T, FLEET-MERGE eq. 3.3); so are the dimensions of the embedding.
  static Blueprint blueprint_of(const RecurrentShape& shape) {
    Blueprint blueprint;
    Features from{.size = shape.inputs, .group = std::nullopt};
    if (shape.embedding > 0) {
      from = {.size = shape.embedding, .group = blueprint.add_group("embedding", shape.embedding, shape.units)};
      const std::size_t table = blueprint.add("embedding.weight", {shape.embedding, shape.inputs}, Fill::normal(1.0));
      blueprint.act(table, 0, from);
      blueprint.maps.push_back({.name = "embedding", .weights = {table}, .sees_data = true});
    }
    if (shape.points) from = shape.points->add_to(blueprint);
    for (std::size_t l = 0; l < shape.hidden.size(); ++l) {
      const std::string name = "layers." + std::to_string(l);
      const Features to{.size = shape.hidden[l], .group = blueprint.add_group(name, shape.hidden[l], shape.units)};
      add_cell(blueprint, name, shape.cell, from, to);
      from = to;
    }
    blueprint.add_layer("decoder", from, {.size = shape.outputs, .group = std::nullopt});
    return blueprint;
  }

  static void add_cell(Blueprint& blueprint, const std::string& name, Cell cell, const Features& from,
                       const Features& to) {
    const int gates = gates_of(cell);
    const std::int64_t rows = gates * to.size;
    const Fill fill = Fill::fan_in(to.size);
    const std::size_t input = blueprint.add(name + ".input", {rows, from.size}, fill);
    const std::size_t recurrent = blueprint.add(name + ".recurrent", {rows, to.size}, fill);
    const std::size_t bias = blueprint.add(name + ".bias", {rows}, fill);
    for (const std::size_t tensor : {input, recurrent, bias}) blueprint.act(tensor, 0, to, gates);
    blueprint.act(input, 1, from);
    blueprint.act(recurrent, 1, to);
    if (cell != Cell::kGru) {
      blueprint.maps.push_back({.name = name, .weights = {input, recurrent}, .bias = bias, .recurrent = true});
      return;
    }
    const std::size_t state_bias = blueprint.add(name + ".recurrent_bias", {rows}, fill);
    blueprint.act(state_bias, 0, to, gates);
    blueprint.maps.push_back(
        {.name = name + ".input", .weights = {input}, .bias = bias, .sees_data = blueprint.maps.empty()});
    blueprint.maps.push_back(
        {.name = name + ".recurrent", .weights = {recurrent}, .bias = state_bias, .recurrent = true});
  }

  RecurrentShape shape_;
};

constexpr std::array<std::pair<std::string_view, Cell>, 2> kActivations{{{"tanh", Cell::kTanh}, {"relu", Cell::kRelu}}};

}  // namespace

std::shared_ptr<const Network> make_recurrent(SettingsReader& settings, const NetworkShape& data) {
  const bool symbols = data.input == NetworkShape::Input::kText;
  RecurrentShape shape{.inputs = data.inputs, .embedding = symbols ? 8 : 0, .hidden = {128}, .outputs = data.outputs};
  const std::string kind = std::get<std::string>(settings.resolved().at("model.kind").value.data);
  if (symbols)
    settings.read("model.embedding", shape.embedding, between(0, kWidest),
                  "Width of the vector that stands for a character; 0: one-hot.");
  if (data.points > 0) shape.points = PointEncoder::read(settings, data);
  read_widths(settings, "model.hidden", shape.hidden, "Widths of the layers.");
  if (shape.hidden.empty()) {
    reject("model.hidden", settings.resolved().at("model.hidden"), "a recurrent network has at least one layer");
  }
  if (kind == "rnn")
    settings.read("model.activation", shape.cell, Names<Cell>(kActivations), "Nonlinearity of the hidden units.");
  if (shape.cell == Cell::kTanh && kind == "rnn") shape.units = read_sign_flips(settings);
  if (kind == "lstm") shape.cell = Cell::kLstm;
  if (kind == "gru") shape.cell = Cell::kGru;
  return std::make_shared<Recurrent>(shape);
}

}  // namespace fleet
