#include "torch/robot.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "torch/short_run.hpp"
#include "torch/trainer.hpp"

namespace fleet {
namespace {

/// Steps between two looks at what the losses have come to. To look is to wait for a device, which could else be given
/// the next steps meanwhile.
constexpr std::size_t kLossesAtOnce = 64;

/// Pulls each tensor back to where it was at first: the gradient of weight x sum_l |W_l - W_l(start)|. Lawson and
/// Qureshi (2023) call it init_reg.
class Pull final : public GradientTerm {
 public:
  Pull(double weight, ParamVector start) : weight_(weight), start_(std::move(start)) {}
  void add_to(const ParamVector& at, ParamVector& gradient) const override {
    for (std::size_t t = 0; t < start_.layout().tensors().size(); ++t) {
      const std::span<const float> now = at.tensor(t);
      const std::span<const float> start = start_.tensor(t);
      double squares = 0.0;
      for (std::size_t i = 0; i < now.size(); ++i) {
        const double moved = static_cast<double>(now[i]) - static_cast<double>(start[i]);
        squares += moved * moved;
      }
      if (squares == 0.0) continue;
      const auto factor = static_cast<float>(weight_ / std::sqrt(squares));
      const std::span<float> slope = gradient.tensor(t);
      for (std::size_t i = 0; i < now.size(); ++i) slope[i] += factor * (now[i] - start[i]);
    }
  }

 private:
  double weight_;
  ParamVector start_;
};

}  // namespace

void SupervisedRobot::initialize(ParamVector& weights) const {
  if (classroom_.start != nullptr) {
    std::ranges::copy(classroom_.start->flat(), weights.flat().begin());
    return;
  }
  const int origin = classroom_.options.common_initialization ? 0 : index_;
  RandomStream stream(classroom_.options.seed, Purpose::kInitialization, static_cast<std::uint64_t>(origin));
  classroom_.network->initialize(weights, stream);
}

const Shard& SupervisedRobot::shard() {
  if (!shard_) shard_ = find_shard_();
  return *shard_;
}

void SupervisedRobot::rest() {
  shard_.reset();
  order_ = {};
  ordered_epoch_ = -1;
  picked_ = {};
  data_moments_.clear();
}

double SupervisedRobot::train(ParamVector& weights, Optimizer& optimizer, std::int64_t steps,
                              const std::function<bool()>& stop) {
  const TrainingOptions& options = classroom_.options;
  const Place& place = classroom_.plan.place;
  Trainer trainer(classroom_, weights, optimizer);
  std::optional<Pull> pull;
  if (options.pull > 0.0) {
    ParamVector start(weights.shared_layout());
    initialize(start);
    pull.emplace(options.pull, std::move(start));
  }
  for (torch::Tensor& tensor : state_) tensor = place.bring(tensor);
  const std::size_t at_once = place.is_host() ? 1 : kLossesAtOnce;
  std::vector<torch::Tensor> losses;  // of the last steps, not yet looked at
  double total = 0.0;
  std::int64_t done = 0;
  for (; done < steps && !stop(); ++done) {
    const double factor = options.schedule.factor(step_, total_steps_);
    load_next_batch();
    Pass pass{.training = true, .state = options.carry_state ? &state_ : nullptr};
    losses.push_back(trainer.find_gradient(pass));
    if (term_ != nullptr) trainer.add(*term_);
    if (pull) trainer.add(*pull);
    if (losses.size() == at_once) total += sum_of(losses);
    trainer.follow_gradient(factor);
  }
  total += sum_of(losses);
  trainer.finish();
  if (static_cast<std::size_t>(step_) % batches_per_epoch() == 0) state_.clear();  // the next one starts from zero
  for (torch::Tensor& tensor : state_) tensor = place.fetch(tensor);
  return done > 0 ? total / static_cast<double>(done) : 0.0;
}

double SupervisedRobot::sum_of(std::vector<torch::Tensor>& losses) const {
  double sum = 0.0;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const auto loss = losses[i].item<double>();
    require(std::isfinite(loss), "robot ", index_, ": the training loss became ", loss, " at step ",
            step_ - std::ssize(losses) + static_cast<std::int64_t>(i) + 1, "; a smaller train.learning_rate may help");
    sum += loss;
  }
  losses.clear();
  return sum;
}

void SupervisedRobot::save(StateWriter& state) {
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
  const std::vector<std::int32_t>& train = shard().train;
  std::vector<std::int32_t> drawn(static_cast<std::size_t>(batch));
  for (std::int32_t& sample : drawn) sample = train[stream.below(train.size())];
  Samples& samples = *classroom_.samples;
  samples.load(drawn);
  const Place& place = classroom_.plan.place;
  const PlacedVector weights = place.bring(at);
  const PlacedVector slopes = place.room_for(gradient);
  Pass pass{.steps = samples.steps()};
  const torch::Tensor loss = backpropagate(*classroom_.network, *classroom_.objective, weights.tensors,
                                           samples.inputs(), samples.targets(), pass, slopes.tensors);
  place.fetch(slopes.flat, gradient.flat());
  return loss.item<double>();
}

std::vector<Score> SupervisedRobot::held_out_scores(const ParamVector& at) {
  const std::vector<std::int32_t>& samples = shard().held_out.empty() ? shard().train : shard().held_out;
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

MapMoments SupervisedRobot::map_moments(const ParamVector& features, const ParamVector& targets, std::size_t map) {
  const auto gather = [&] {
    const auto& train = shard().train;  // of robots that gather their data, an error while there are none
    return gather_moments(*classroom_.network, features, targets, map, train, *classroom_.samples,
                          classroom_.plan_for(map));
  };
  const AffineMap& layer = classroom_.network->maps()[map];
  if (!layer.sees_data) return gather();
  auto known = data_moments_.find(map);
  if (known == data_moments_.end()) known = data_moments_.emplace(map, gather()).first;
  const MapMoments& data = known->second;
  return {data.inputs, layer.matrix(targets).cast<double>() * data.inputs, data.samples};
}

OutputSums SupervisedRobot::output_sums(const ParamVector& at, std::size_t map) {
  const std::vector<std::int32_t>& train = shard().train;
  return gather_outputs(*classroom_.network, at, map, train, *classroom_.samples,
                        classroom_.plan_for_outputs(map, index_, train.size()));
}

std::unique_ptr<HeadData> SupervisedRobot::head_data(const ParamVector& body) {
  const auto& train = shard().train;
  return gather_head(*classroom_.network, classroom_.objective, body, train, *classroom_.samples,
                     classroom_.plan_for(classroom_.network->maps().size() - 1));
}

Score SupervisedRobot::trials(const ParamVector& at, int episodes, std::uint64_t draw) {
  if (!classroom_.trials) return Robot::trials(at, episodes, draw);
  return classroom_.trials(index_, at, episodes, draw);
}

ParamVector SupervisedRobot::take_steps(const ParamVector& start, const LocalSteps& steps, std::uint64_t draw,
                                        const GradientTerm* term) {
  const RandomStream stream(classroom_.options.seed, Purpose::kLocalSteps, static_cast<std::uint64_t>(index_), draw);
  try {
    return run_short(classroom_, shard().train, start, steps, stream, term);
  } catch (const Error& error) {
    throw Error(cat("robot ", index_, ": ", error.what()));
  }
}

Curvature SupervisedRobot::curvature(const ParamVector& at, std::uint64_t draw) {
  RandomStream stream(classroom_.options.seed, Purpose::kCurvature, static_cast<std::uint64_t>(index_), draw);
  Curvature curvature = gather_curvature(classroom_, shard().train, at, stream);
  for (std::size_t m = 0; m < curvature.maps.size(); ++m) {
    MapMoments moments = map_moments(at, at, m);
    curvature.maps[m].inputs = std::move(moments.inputs);
    curvature.maps[m].rows = moments.samples;
  }
  return curvature;
}

std::size_t SupervisedRobot::batches_per_epoch() const {
  const auto batch = static_cast<std::int64_t>(classroom_.options.batch_size);
  return static_cast<std::size_t>(std::max<std::int64_t>(1, (samples_ + batch - 1) / batch));
}

void SupervisedRobot::load_next_batch() {
  const std::vector<std::int32_t>& train = shard().train;
  const std::size_t size = train.size();
  const std::size_t batch = std::min(static_cast<std::size_t>(classroom_.options.batch_size), size);
  const std::size_t per_epoch = batches_per_epoch();
  const std::size_t position = static_cast<std::size_t>(step_) % per_epoch;
  if (classroom_.options.carry_state) {
    const Lanes lanes(size, batch);
    if (position == 0) state_.clear();
    lanes.pick(train, position, picked_);
    keep_lanes(state_, static_cast<std::int64_t>(picked_.size()));
  } else {
    const std::int64_t epoch = step_ / static_cast<std::int64_t>(per_epoch);
    if (epoch != ordered_epoch_) {
      order_ = train;
      RandomStream stream(classroom_.options.seed, Purpose::kShuffle, static_cast<std::uint64_t>(index_),
                          static_cast<std::uint64_t>(epoch));
      stream.shuffle(std::span(order_));
      ordered_epoch_ = epoch;
    }
    const auto begin = order_.begin() + static_cast<std::ptrdiff_t>(position * batch);
    picked_.assign(begin, begin + static_cast<std::ptrdiff_t>(std::min(batch, size - position * batch)));
  }
  RandomStream variation(classroom_.options.seed, Purpose::kVariation, static_cast<std::uint64_t>(index_),
                         static_cast<std::uint64_t>(step_));
  classroom_.samples->load_varied(picked_, variation);
  ++step_;
}

}  // namespace fleet
