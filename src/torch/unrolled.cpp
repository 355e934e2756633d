#include "torch/unrolled.hpp"

#include "base/error.hpp"
#include "torch/packed_weights.hpp"

namespace fleet {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using Tensors = std::vector<Tensor>;

// LibTorch's layers on the processor pack the recurrent weights anew for the product of every step, and at every step
// add to these weights' whole gradient. Here they are packed once, and their gradient is one product over all steps
// (tests/benchmarks/sequence_benchmark.cpp).

/// A layer at one step; of slopes of the loss, the slope of each. What its gates sum, lanes x gates * width, they
/// replace by what they let through.
struct Step {
  Tensor gates;
  Tensor state;  // what the state adds to the gates: of a GRU apart from them, else the same
  Tensor before;
  Tensor after;  // outputs, lanes x width
  Tensor cell_before;
  Tensor cell_after;
  Tensor squashed;  // of an LSTM: tanh of the cell
};

/// The same of all steps.
struct Trace {
  Tensor gates;     // steps x lanes x gates * width
  Tensor state;     // steps x lanes x gates * width
  Tensor outputs;   // steps + 1 x lanes x width
  Tensor cells;     // steps + 1 x lanes x width
  Tensor squashed;  // steps x lanes x width

  [[nodiscard]] Step at(std::int64_t t) const {
    const auto select = [](const Tensor& all, std::int64_t step) {
      return all.defined() ? all.select(0, step) : Tensor();
    };
    return {.gates = select(gates, t),
            .state = select(state, t),
            .before = select(outputs, t),
            .after = select(outputs, t + 1),
            .cell_before = select(cells, t),
            .cell_after = select(cells, t + 1),
            .squashed = select(squashed, t)};
  }
};

/// Gate `gate` of a step's.
Tensor part(const Tensor& gates, std::int64_t gate, const Tensor& output, std::int64_t count = 1) {
  return gates.narrow(1, gate * output.size(1), count * output.size(1));
}

// Cells: how a step advances, and how the slopes of what it led to become those of what it came from.

struct TanhCell {
  static constexpr int kGates = 1;
  static void advance(Step& s) { at::tanh_out(s.after, s.gates); }
  static void retreat(const Step& s, Step& slope) { at::tanh_backward_out(slope.gates, slope.after, s.after); }
};

struct ReluCell {
  static constexpr int kGates = 1;
  static void advance(Step& s) { at::clamp_min_out(s.after, s.gates, 0.0); }
  static void retreat(const Step& s, Step& slope) {
    at::threshold_backward_out(slope.gates, slope.after, s.after, 0.0);
  }
};

struct LstmCell {
  static constexpr int kGates = 4;
  static void advance(Step& s) {
    part(s.gates, 0, s.after, 2).sigmoid_();
    const Tensor proposal = part(s.gates, 2, s.after).tanh_();
    const Tensor shown = part(s.gates, 3, s.after).sigmoid_();
    at::mul_out(s.cell_after, part(s.gates, 1, s.after), s.cell_before);
    s.cell_after.addcmul_(part(s.gates, 0, s.after), proposal);
    at::tanh_out(s.squashed, s.cell_after);
    at::mul_out(s.after, shown, s.squashed);
  }
  static void retreat(const Step& s, Step& slope) {
    const std::vector<Tensor> gates = s.gates.chunk(4, 1);
    std::vector<Tensor> slopes = slope.gates.chunk(4, 1);
    at::sigmoid_backward_out(slopes[3], slope.after * s.squashed, gates[3]);
    slope.cell_after.add_(at::tanh_backward(slope.after * gates[3], s.squashed));
    at::sigmoid_backward_out(slopes[0], slope.cell_after * gates[2], gates[0]);
    at::sigmoid_backward_out(slopes[1], slope.cell_after * s.cell_before, gates[1]);
    at::tanh_backward_out(slopes[2], slope.cell_after * gates[0], gates[2]);
    at::mul_out(slope.cell_before, slope.cell_after, gates[1]);
  }
};

struct GruCell {
  static constexpr int kGates = 3;
  static void advance(Step& s) {
    const std::vector<Tensor> gates = s.gates.chunk(3, 1);
    part(s.gates, 0, s.after, 2).add_(part(s.state, 0, s.after, 2)).sigmoid_();
    gates[2].addcmul_(gates[0], part(s.state, 2, s.after)).tanh_();
    at::sub_out(s.after, s.before, gates[2]).mul_(gates[1]).add_(gates[2]);
  }
  static void retreat(const Step& s, Step& slope) {
    const std::vector<Tensor> gates = s.gates.chunk(3, 1);
    std::vector<Tensor> slopes = slope.gates.chunk(3, 1);
    const Tensor kept = slope.after * gates[1];
    at::tanh_backward_out(slopes[2], slope.after - kept, gates[2]);
    at::sigmoid_backward_out(slopes[1], slope.after * (s.before - gates[2]), gates[1]);
    at::sigmoid_backward_out(slopes[0], slopes[2] * part(s.state, 2, s.after), gates[0]);
    slope.state.copy_(slope.gates);
    part(slope.state, 2, s.after).mul_(gates[0]);
    slope.before.add_(kept);
  }
};

template <class CellKind>
class Unrolled : public torch::autograd::Function<Unrolled<CellKind>> {
  static constexpr bool kLstm = std::is_same_v<CellKind, LstmCell>;
  static constexpr bool kGru = std::is_same_v<CellKind, GruCell>;

 public:
  /// Outputs (lanes x steps x width), and the state after the last step.
  static Tensors forward(AutogradContext* context, const Tensor& x, const Tensor& input, const Tensor& recurrent,
                         const Tensor& bias, const c10::optional<Tensor>& state_bias, const Tensor* state) {
    const at::AutoDispatchBelowADInplaceOrView without_graph;
    const Tensor inputs = x.transpose(0, 1).contiguous();
    Trace trace = room_for(inputs.size(0), inputs.size(1), recurrent);
    const std::int64_t steps = inputs.size(0);
    Tensor sums = trace.gates.flatten(0, 1);
    at::addmm_out(sums, bias, inputs.flatten(0, 1), input.t());
    if (kGru) trace.state.copy_(*state_bias);
    trace.outputs[0].copy_(state[0]);
    if (kLstm) trace.cells[0].copy_(state[1]);
    const PackedWeights from_state(recurrent.t());
    for (std::int64_t t = 0; t < steps; ++t) {
      Step step = trace.at(t);
      from_state.add_product(step.before, step.state);
      CellKind::advance(step);
    }
    context->save_for_backward(
        {inputs, input, recurrent, trace.gates, trace.state, trace.outputs, trace.cells, trace.squashed});
    Tensors results{trace.outputs.narrow(0, 1, steps).transpose(0, 1), trace.outputs[steps].clone()};
    if (kLstm) results.push_back(trace.cells[steps].clone());
    context->mark_non_differentiable({results.begin() + 1, results.end()});
    return results;
  }

  static Tensors backward(AutogradContext* context, const Tensors& result_slopes) {
    const at::AutoDispatchBelowADInplaceOrView without_graph;
    const Tensors saved = context->get_saved_variables();
    const Tensor& inputs = saved[0];
    const Tensor& input = saved[1];
    const Tensor& recurrent = saved[2];
    const Trace trace{saved[3], saved[4], saved[5], saved[6], saved[7]};
    const std::int64_t steps = inputs.size(0);
    Trace slopes = room_for(steps, inputs.size(1), recurrent);
    slopes.outputs[0].zero_();
    slopes.outputs.narrow(0, 1, steps).copy_(result_slopes[0].transpose(0, 1));
    if (kLstm) slopes.cells[steps].zero_();
    const PackedWeights to_state(recurrent);
    for (std::int64_t t = steps; t-- > 0;) {
      Step slope = slopes.at(t);
      CellKind::retreat(trace.at(t), slope);
      if (t > 0) to_state.add_product(slope.state, slope.before);
    }
    const Tensor gates = slopes.gates.flatten(0, 1);
    const Tensor state = slopes.state.flatten(0, 1);
    Tensor x;
    if (context->needs_input_grad(0)) x = gates.mm(input).view_as(inputs).transpose(0, 1);
    return {x,
            gates.t().mm(inputs.flatten(0, 1)),
            state.t().mm(trace.outputs.narrow(0, 0, steps).flatten(0, 1)),
            gates.sum(0),
            kGru ? state.sum(0) : Tensor(),
            Tensor()};
  }

 private:
  static Trace room_for(std::int64_t steps, std::int64_t lanes, const Tensor& recurrent) {
    const std::int64_t width = recurrent.size(1);
    const auto room = [&](std::int64_t items, std::int64_t columns) {
      return at::empty({items, lanes, columns}, recurrent.options().requires_grad(false));
    };
    Trace trace{.gates = room(steps, CellKind::kGates * width), .outputs = room(steps + 1, width)};
    trace.state = kGru ? room(steps, CellKind::kGates * width) : trace.gates;
    if (kLstm) trace.cells = room(steps + 1, width);
    if (kLstm) trace.squashed = room(steps, width);
    return trace;
  }
};

template <class CellKind>
Tensor unroll(const CellWeights& w, const Tensor& x, Tensor* state) {
  const Tensors results = Unrolled<CellKind>::apply(x, w.input, w.recurrent, w.bias, w.state_bias, state);
  std::copy(results.begin() + 1, results.end(), state);
  return results[0];
}

}  // namespace

int gates_of(Cell cell) {
  return cell == Cell::kLstm ? LstmCell::kGates : cell == Cell::kGru ? GruCell::kGates : 1;
}

int states_of(Cell cell) {
  return cell == Cell::kLstm ? 2 : 1;
}

Tensor unroll_by_library(Cell cell, const CellWeights& w, const Tensor& x, Tensor* state) {
  const Tensor state_bias = w.state_bias ? *w.state_bias : torch::zeros_like(w.bias);
  const Tensors weights{w.input, w.recurrent, w.bias, state_bias};
  const Tensor output = state[0].unsqueeze(0);
  Tensor y;
  Tensor last;
  switch (cell) {
    case Cell::kTanh:
      std::tie(y, last) = torch::rnn_tanh(x, output, weights, true, 1, 0.0, false, false, true);
      break;
    case Cell::kRelu:
      std::tie(y, last) = torch::rnn_relu(x, output, weights, true, 1, 0.0, false, false, true);
      break;
    case Cell::kLstm: {
      Tensor cells;
      std::tie(y, last, cells) =
          torch::lstm(x, {output, state[1].unsqueeze(0)}, weights, true, 1, 0.0, false, false, true);
      state[1] = cells.squeeze(0).detach();
      break;
    }
    case Cell::kGru:
      std::tie(y, last) = torch::gru(x, output, weights, true, 1, 0.0, false, false, true);
      break;
  }
  state[0] = last.squeeze(0).detach();
  return y;
}

Tensor unroll(Cell cell, const CellWeights& weights, const Tensor& x, Tensor* state) {
  if (!x.is_cpu() || x.size(1) == 1) return unroll_by_library(cell, weights, x, state);
  switch (cell) {
    case Cell::kTanh:
      return unroll<TanhCell>(weights, x, state);
    case Cell::kRelu:
      return unroll<ReluCell>(weights, x, state);
    case Cell::kLstm:
      return unroll<LstmCell>(weights, x, state);
    case Cell::kGru:
      return unroll<GruCell>(weights, x, state);
  }
  throw Error("no such cell");
}

}  // namespace fleet
