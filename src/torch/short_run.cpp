#include "torch/short_run.hpp"

#include <cmath>

#include "base/error.hpp"
#include "torch/trainer.hpp"

namespace fleet {
namespace {

/// Batches of a short run: the samples in one random order after another or, with state carried, in lanes from a random
/// place on.
class DrawnBatches {
 public:
  DrawnBatches(std::span<const std::int32_t> samples, std::size_t batch, bool carries_state, RandomStream stream)
      : samples_(samples),
        order_(samples.begin(), samples.end()),
        batch_(std::min(batch, samples.size())),
        carries_state_(carries_state),
        stream_(stream) {
    place_ = carries_state ? stream_.below((samples.size() + batch_ - 1) / batch_) : samples.size();
  }

  /// The next batch; whether a sequence begins with it.
  bool next(std::vector<std::int32_t>& picked) {
    if (carries_state_) {
      const Lanes lanes(samples_.size(), batch_);
      const bool begins = std::exchange(is_first_, false) || place_ >= lanes.length;
      if (place_ >= lanes.length) place_ = 0;
      lanes.pick(samples_, place_++, picked);
      return begins;
    }
    if (place_ >= order_.size()) {
      stream_.shuffle(std::span(order_));
      place_ = 0;
    }
    const std::size_t end = std::min(place_ + batch_, order_.size());
    picked.assign(order_.begin() + static_cast<std::ptrdiff_t>(place_),
                  order_.begin() + static_cast<std::ptrdiff_t>(end));
    place_ = end;
    return true;
  }

 private:
  std::span<const std::int32_t> samples_;
  std::vector<std::int32_t> order_;
  std::size_t batch_;
  bool carries_state_;
  RandomStream stream_;
  std::size_t place_;
  bool is_first_ = true;
};

/// A tensor with as many numbers in [0, 1) as `like` has.
torch::Tensor uniform_like(const torch::Tensor& like, RandomStream& stream, const Place& place) {
  torch::Tensor uniform = torch::empty(like.sizes(), torch::kFloat32);
  auto* values = uniform.data_ptr<float>();
  for (std::int64_t i = 0; i < uniform.numel(); ++i) values[i] = static_cast<float>(stream.uniform());
  return place.bring(uniform);
}

/// Gradients at a map's outputs as rows.
torch::Tensor rows_of(const torch::Tensor& slope) {
  if (slope.dim() == 2) return slope;
  return slope.dim() == 4 ? slope.permute({0, 2, 3, 1}).flatten(0, 2) : slope.flatten(0, 1);  // an image, or steps
}

/// Calls `visit` with the network's outputs on part after part of the samples; state is carried as in evaluation.
void pass_through(Classroom& classroom, std::span<const std::int32_t> samples, const VisitPlan& plan,
                  const PlacedVector& parameters, std::vector<torch::Tensor>* probes,
                  const std::function<void(const torch::Tensor& outputs)>& visit) {
  std::vector<torch::Tensor> state;
  visit_samples(samples, *classroom.samples, plan, [&](bool first) {
    const torch::Tensor& inputs = classroom.samples->inputs();
    if (first) state.clear();
    keep_lanes(state, inputs.size(0));
    if (probes != nullptr) probes->clear();
    Pass pass{.state = &state, .steps = classroom.samples->steps(), .probes = probes};
    visit(classroom.network->forward(parameters.tensors, inputs, pass));
    for (torch::Tensor& tensor : state) tensor = tensor.detach();
  });
}

}  // namespace

ParamVector run_short(Classroom& classroom, std::span<const std::int32_t> samples, const ParamVector& start,
                      const LocalSteps& steps, RandomStream stream, const GradientTerm* term) {
  const TrainingOptions& options = classroom.options;
  ParamVector weights = start;
  Optimizer optimizer({.learning_rate = steps.learning_rate}, weights.flat().size());
  DrawnBatches batches(samples, static_cast<std::size_t>(options.batch_size), options.carry_state, stream);
  std::vector<std::int32_t> picked;
  std::vector<torch::Tensor> state;
  Trainer trainer(classroom, weights, optimizer);
  torch::Tensor loss;
  for (std::int64_t step = 0; step < steps.steps; ++step) {
    if (batches.next(picked)) state.clear();
    keep_lanes(state, static_cast<std::int64_t>(picked.size()));
    classroom.samples->load(picked);
    Pass pass{.training = true, .state = options.carry_state ? &state : nullptr};
    loss = trainer.find_gradient(pass);
    if (term != nullptr) trainer.add(*term);
    trainer.follow_gradient(steps.factor(step));
  }
  trainer.finish();
  const Eigen::Map<const Eigen::VectorXf> reached(weights.flat().data(), std::ssize(weights.flat()));
  require(std::isfinite(loss.item<double>()) && reached.allFinite(), "a short run of ", steps.steps,
          " steps came to weights that are not finite; a smaller learning rate may help: merge.after.learning_rate of "
          "rounds "
          "after the merge, train.learning_rate of robots that go on alone");
  return weights;
}

Curvature gather_curvature(Classroom& classroom, std::span<const std::int32_t> samples, const ParamVector& at,
                           RandomStream& stream) {
  const Network& network = *classroom.network;
  const Place& place = classroom.plan.place;
  const PlacedVector parameters = place.bring(at);
  for (const torch::Tensor& tensor : parameters.tensors) tensor.requires_grad_(true);
  Curvature curvature{.gradient = ParamVector(network.layout()), .samples = static_cast<double>(samples.size())};

  std::vector<torch::Tensor> sums;
  pass_through(classroom, samples, classroom.plan, parameters, nullptr, [&](const torch::Tensor& outputs) {
    const auto here = static_cast<double>(classroom.samples->loaded());
    const torch::Tensor loss = classroom.objective->loss(outputs, classroom.samples->targets()) * here;
    const std::vector<torch::Tensor> slopes = torch::autograd::grad({loss}, parameters.tensors, {}, false, false, true);
    sums.resize(slopes.size());
    for (std::size_t i = 0; i < slopes.size(); ++i) {
      if (slopes[i].defined()) sums[i] = sums[i].defined() ? sums[i] + slopes[i] : slopes[i];
    }
  });
  for (std::size_t i = 0; i < sums.size(); ++i) {
    if (!sums[i].defined() || network.is_statistic(i)) continue;
    const torch::Tensor host = place.fetch(sums[i].contiguous());
    std::copy_n(host.data_ptr<float>(), host.numel(), curvature.gradient.tensor(i).begin());
  }

  // One of so many samples will do for the rest, which is a model of the loss.
  VisitPlan plan = classroom.plan;
  for (std::size_t m = 0; m < network.maps().size(); ++m) {
    plan.every = std::max(plan.every, classroom.plan_for(m).every);
  }
  std::vector<torch::Tensor> probes;
  std::vector<torch::Tensor> outer(network.maps().size());
  double visited = 0.0;
  pass_through(classroom, samples, plan, parameters, &probes, [&](const torch::Tensor& outputs) {
    const auto here = static_cast<double>(classroom.samples->loaded());
    visited += here;
    const double steps = static_cast<double>(outputs.size(0)) / here;  // whose mean is the loss of a sample
    const torch::Tensor draw =
        classroom.objective->curvature_draw(outputs.detach(), uniform_like(outputs, stream, place)) / std::sqrt(steps);
    const std::vector<torch::Tensor> slopes = torch::autograd::grad({(draw * outputs).sum()}, probes);
    for (std::size_t m = 0; m < slopes.size(); ++m) {
      const torch::Tensor rows = rows_of(slopes[m]).to(torch::kFloat64);
      const torch::Tensor product = rows.t().matmul(rows);
      outer[m] = outer[m].defined() ? outer[m] + product : product;
    }
  });
  const double share = visited > 0.0 ? curvature.samples / visited : 1.0;
  for (const torch::Tensor& sum : outer) {
    const torch::Tensor host = place.fetch(sum.contiguous());
    const Eigen::Map<const DoubleMatrix> matrix(host.data_ptr<double>(), host.size(0), host.size(1));
    curvature.maps.push_back({.inputs = {}, .outputs = share * matrix, .rows = 0.0});
  }
  return curvature;
}

}  // namespace fleet
