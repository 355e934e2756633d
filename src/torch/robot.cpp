#include "torch/robot.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace fleet {
namespace {

/// Rows of which moments and heads are made, at most; with more, evenly spaced samples stand for all.
constexpr std::int64_t kStatisticsRows = 1 << 17;

std::shared_ptr<const Objective> make_objective(ObjectiveKind kind) {
  if (kind == ObjectiveKind::kSquaredError) return make_squared_error();
  return make_cross_entropy(kind == ObjectiveKind::kNextCharacter);
}

void clip(std::span<float> gradient, double bound) {
  const Eigen::Map<Eigen::VectorXf> all(gradient.data(), static_cast<Eigen::Index>(gradient.size()));
  const double norm = all.stableNorm();
  if (norm > bound) Eigen::Map<Eigen::VectorXf>(all) *= static_cast<float>(bound / norm);
}

}  // namespace

Classroom::Classroom(const SupervisedProblem& problem)
    : network(problem.network),
      objective(make_objective(problem.objective)),
      samples(problem.train),
      options(problem.options),
      gradient(network->layout()) {
  options.carry_state = options.carry_state && network->carries_state();
  plan = visit_plan(*network, options.carry_state);
  for (std::size_t tensor = 0; tensor < network->layout()->tensors().size(); ++tensor) {
    if (network->is_statistic(tensor)) statistics.push_back(tensor);
  }
}

SupervisedRobot::SupervisedRobot(Classroom& classroom, int index, Shard shard)
    : classroom_(classroom),
      index_(index),
      shard_(std::move(shard)),
      weights_(classroom.network->layout()),
      optimizer_(classroom.options.optimizer, weights_.flat().size()) {
  const int origin = classroom.options.common_initialization ? 0 : index;
  RandomStream stream(classroom.options.seed, Purpose::kInitialization, static_cast<std::uint64_t>(origin));
  classroom.network->initialize(weights_, stream);
}

double SupervisedRobot::train(std::int64_t steps, const std::function<bool()>& stop) {
  const TrainingOptions& options = classroom_.options;
  Samples& samples = *classroom_.samples;
  double total = 0.0;
  std::int64_t done = 0;
  for (; done < steps && !stop(); ++done) {
    const double factor = options.schedule.factor(step_, total_steps_);
    load_next_batch();
    Pass pass{.training = true, .state = options.carry_state ? &state_ : nullptr};
    const double loss = fleet::loss_gradient(*classroom_.network, *classroom_.objective, weights_, samples.inputs(),
                                             samples.targets(), pass, classroom_.gradient);
    require(std::isfinite(loss), "robot ", index_, ": the training loss became ", loss, " at step ", step_,
            "; a smaller train.learning_rate may help");
    for (torch::Tensor& tensor : state_) tensor = tensor.detach();  // gradients reach back one window
    if (options.clip_norm > 0.0) clip(classroom_.gradient.flat(), options.clip_norm);
    step_weights(factor);
    total += loss;
  }
  return done > 0 ? total / static_cast<double>(done) : 0.0;
}

void SupervisedRobot::step_weights(double factor) {
  std::vector<float> kept;
  for (const std::size_t tensor : classroom_.statistics) {
    const std::span<const float> statistic = weights_.tensor(tensor);
    kept.insert(kept.end(), statistic.begin(), statistic.end());
  }
  optimizer_.step(weights_.flat(), classroom_.gradient.flat(), factor);
  auto from = kept.cbegin();
  for (const std::size_t tensor : classroom_.statistics) {
    const std::span<float> statistic = weights_.tensor(tensor);
    std::copy_n(from, statistic.size(), statistic.begin());
    from += static_cast<std::ptrdiff_t>(statistic.size());
  }
}

void SupervisedRobot::save(StateWriter& state) {
  state.write_all(std::span<const float>(weights_.flat()));
  optimizer_.save(state);
  state.write(step_);
  state.write(static_cast<std::int64_t>(state_.size()));
  for (const torch::Tensor& tensor : state_) {
    const torch::Tensor lanes = tensor.contiguous();
    state.write(lanes.size(0));
    state.write(lanes.size(1));
    state.write_all(std::span<const float>(lanes.data_ptr<float>(), static_cast<std::size_t>(lanes.numel())));
  }
}

void SupervisedRobot::load(StateReader& state) {
  state.read_into(weights_.flat());
  optimizer_.load(state);
  step_ = state.read<std::int64_t>();
  state_.clear();
  const auto tensors = state.read<std::int64_t>();
  for (std::int64_t i = 0; i < tensors; ++i) {
    const auto lanes = state.read<std::int64_t>();
    const auto width = state.read<std::int64_t>();
    torch::Tensor& tensor = state_.emplace_back(torch::empty({lanes, width}));
    state.read_into(std::span(tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())));
  }
}

double SupervisedRobot::loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) {
  std::vector<std::int32_t> drawn(static_cast<std::size_t>(batch));
  for (std::int32_t& sample : drawn) sample = shard_.train[stream.below(shard_.train.size())];
  Samples& samples = *classroom_.samples;
  samples.load(drawn);
  Pass pass;
  return fleet::loss_gradient(*classroom_.network, *classroom_.objective, at, samples.inputs(), samples.targets(), pass,
                              gradient);
}

std::vector<Score> SupervisedRobot::held_out_scores(const ParamVector& at) {
  const std::vector<std::int32_t>& samples = shard_.held_out.empty() ? shard_.train : shard_.held_out;
  return score_samples(*classroom_.network, *classroom_.objective, at, samples, *classroom_.samples, classroom_.plan);
}

Score SupervisedRobot::held_out_score(const ParamVector& at) {
  const std::vector<Score> scores = held_out_scores(at);
  if (scores.size() > 1) return scores.front();
  return {-scores.back().sum, scores.back().samples};
}

Score SupervisedRobot::held_out_loss(const ParamVector& at) {
  return held_out_scores(at).back();
}

MapMoments SupervisedRobot::map_moments(const ParamVector& features, const ParamVector* targets, std::size_t map) {
  const auto gather = [&] {
    return gather_moments(*classroom_.network, *classroom_.objective, features, targets, map, shard_.train,
                          *classroom_.samples, plan_for(map));
  };
  const AffineMap& layer = classroom_.network->maps()[map];
  if (!layer.sees_data || targets == nullptr) return gather();
  if (!data_moments_) data_moments_ = gather();
  return {data_moments_->inputs, layer.matrix(*targets) * data_moments_->inputs, data_moments_->samples};
}

std::unique_ptr<HeadData> SupervisedRobot::head_data(const ParamVector& body) {
  return gather_head(*classroom_.network, classroom_.objective, body, shard_.train, *classroom_.samples,
                     plan_for(classroom_.network->maps().size() - 1));
}

VisitPlan SupervisedRobot::plan_for(std::size_t map) const {
  VisitPlan plan = classroom_.plan;
  if (shard_.train.empty()) return plan;
  const torch::NoGradGuard no_grad;
  Samples& samples = *classroom_.samples;
  samples.load(std::span(shard_.train).first(1));
  Pass pass{.stop_before = map};
  (void)classroom_.network->forward(Network::views(weights_), samples.inputs(), pass);
  const std::int64_t available = this->samples() * pass.entering.size(0);
  plan.every = static_cast<std::size_t>((available + kStatisticsRows - 1) / kStatisticsRows);
  return plan;
}

void SupervisedRobot::load_next_batch() {
  const std::size_t size = shard_.train.size();
  const std::size_t batch = std::min(static_cast<std::size_t>(classroom_.options.batch_size), size);
  const std::size_t per_epoch = (size + batch - 1) / batch;
  const std::size_t position = static_cast<std::size_t>(step_) % per_epoch;
  if (classroom_.options.carry_state) {
    const Lanes lanes(size, batch);
    if (position == 0) state_.clear();
    lanes.pick(shard_.train, position, picked_);
    keep_lanes(state_, static_cast<std::int64_t>(picked_.size()));
  } else {
    const std::int64_t epoch = step_ / static_cast<std::int64_t>(per_epoch);
    if (epoch != ordered_epoch_) {
      order_ = shard_.train;
      RandomStream stream(classroom_.options.seed, Purpose::kShuffle, static_cast<std::uint64_t>(index_),
                          static_cast<std::uint64_t>(epoch));
      stream.shuffle(std::span(order_));
      ordered_epoch_ = epoch;
    }
    const auto begin = order_.begin() + static_cast<std::ptrdiff_t>(position * batch);
    picked_.assign(begin, begin + static_cast<std::ptrdiff_t>(std::min(batch, size - position * batch)));
  }
  classroom_.samples->load(picked_);
  ++step_;
}

}  // namespace fleet
