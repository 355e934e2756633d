#include "torch/experience.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <type_traits>

namespace fleet {
namespace {

template <class T>
void append(std::vector<T>& to, const std::type_identity_t<std::span<const T>>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

template <class T>
void drop_front(std::vector<T>& from, std::size_t count) {
  from.erase(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(count));
}

/// A copy, since gradients may outlive the numbers.
torch::Tensor rows_of(const std::vector<float>& values, std::int64_t rows) {
  return torch::tensor(at::ArrayRef<float>(values.data(), values.size())).view({rows, -1});
}

/// Some rows of `width` numbers.
torch::Tensor picked(const std::vector<float>& values, std::size_t width, std::span<const std::int32_t> rows) {
  torch::Tensor picked = torch::empty({std::ssize(rows), static_cast<std::int64_t>(width)});
  auto* into = picked.data_ptr<float>();
  for (const std::int32_t row : rows) {
    into = std::copy_n(values.data() + static_cast<std::size_t>(row) * width, width, into);
  }
  return picked;
}

/// Which choice a number in [0, 1) falls on, by the softmax of the outputs.
std::size_t drawn(std::span<const float> outputs, double uniform) {
  const double most = *std::ranges::max_element(outputs);
  const auto share = [&](float output) { return std::exp(static_cast<double>(output) - most); };
  double left = 0.0;
  for (const float output : outputs) left += share(output);
  left *= uniform;
  for (std::size_t i = 0; i + 1 < outputs.size(); ++i) {
    left -= share(outputs[i]);
    if (left < 0.0) return i;
  }
  return outputs.size() - 1;
}

}  // namespace

void Experience::clear() {
  inputs.clear();
  outputs.clear();
  actions.clear();
  rewards.clear();
  lengths.clear();
  beyond.clear();
}

void Actor::act(std::span<const float> inputs, std::span<float> actions) {
  const std::size_t features = inputs.size() / notes_.size();
  const std::size_t numbers = actions.size() / notes_.size();
  outputs_.resize(actions.size());
  runner_.act(inputs, outputs_);
  ++steps_;
  for (std::size_t i = 0; i < notes_.size(); ++i) {
    const std::span<const float> outputs = std::span<const float>(outputs_).subspan(i * numbers, numbers);
    append(notes_[i].inputs, inputs.subspan(i * features, features));
    append(notes_[i].outputs, outputs);
    const std::span<float> action = actions.subspan(i * numbers, numbers);
    if (chooses_) {
      choose(i, outputs, action);
    } else {
      vary(i, outputs, action);
    }
  }
}

void Actor::add_to(Experience& batch, std::vector<Played> played) const {
  for (std::size_t i = 0; i < notes_.size(); ++i) {
    const std::size_t steps = played[i].rewards.size();
    const auto append_first = [&](std::vector<float>& to, std::span<const float> from) {
      append(to, from.first(from.size() / steps_ * steps));
    };
    append_first(batch.inputs, notes_[i].inputs);
    append_first(batch.outputs, notes_[i].outputs);
    append_first(batch.actions, notes_[i].actions);
    append(batch.rewards, played[i].rewards);
    batch.lengths.push_back(static_cast<std::int32_t>(steps));
    batch.beyond.push_back(std::move(played[i].beyond));
  }
}

void Actor::choose(std::size_t episode, std::span<const float> outputs, std::span<float> action) {
  const std::size_t choice = streams_.empty()
                                 ? static_cast<std::size_t>(std::ranges::max_element(outputs) - outputs.begin())
                                 : drawn(outputs, streams_[episode].uniform());
  std::ranges::fill(action, 0.0F);
  action[choice] = 1;
  notes_[episode].actions.push_back(static_cast<float>(choice));
}

void Actor::vary(std::size_t episode, std::span<const float> outputs, std::span<float> action) {
  std::ranges::copy(outputs, action.begin());
  for (std::size_t i = 0; !streams_.empty() && i < action.size(); ++i) {
    action[i] = static_cast<float>(static_cast<double>(outputs[i]) +
                                   static_cast<double>(deviations_[i]) * streams_[episode].normal());
  }
  append(notes_[episode].actions, action);
}

torch::Tensor Experience::output_rows() const {
  return rows_of(outputs, std::ssize(rewards));
}

torch::Tensor Experience::action_rows() const {
  return rows_of(actions, std::ssize(rewards));
}

void standardise(std::span<float> values) {
  const auto count = static_cast<double>(values.size());
  double mean = 0.0;
  double squares = 0.0;
  for (const float value : values) mean += static_cast<double>(value) / count;
  for (const float value : values) squares += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean);
  const double deviation = std::sqrt(squares / count);
  for (float& value : values) value = static_cast<float>((static_cast<double>(value) - mean) / (deviation + 1e-8));
}

Loss policy_loss(const Experience& experience, const OnlineOptions& options, bool chooses, const Stretch& part) {
  const auto steps = std::ssize(experience.rewards);
  const double share = static_cast<double>(part.count) / static_cast<double>(steps);
  const torch::Tensor all_worth = rows_of(advantages(experience.rewards, experience.lengths, options), steps);
  const torch::Tensor worth = all_worth.squeeze(1).narrow(0, part.begin, part.count);
  const torch::Tensor actions = experience.action_rows().narrow(0, part.begin, part.count);
  if (!chooses) {
    return [=](const torch::Tensor& outputs) {  // minus the log density, but for a constant
      return ((actions - outputs).div(options.deviation).square().sum(1) * 0.5 * worth).mean() * share;
    };
  }
  return [=](const torch::Tensor& outputs) {
    const torch::Tensor log_shares = torch::log_softmax(outputs, 1);
    const torch::Tensor taken = log_shares.gather(1, actions.to(torch::kInt64)).squeeze(1);
    const torch::Tensor loss = -(taken * worth).mean() * share;
    if (options.entropy == 0.0) return loss;
    return loss + options.entropy * share * (log_shares.exp() * log_shares).sum(1).mean();
  };
}

History Memory::inputs(std::span<const std::int32_t> steps) const {
  return histories_.of(kept_.inputs, kept_.lengths, steps);
}

torch::Tensor Memory::actions(std::span<const std::int32_t> steps) const {
  const torch::Tensor taken = picked(kept_.actions, action_size(), steps);
  return chooses_ ? taken.squeeze(1).to(torch::kInt64) : taken;
}

torch::Tensor Memory::outputs(std::span<const std::int32_t> steps) const {
  return picked(kept_.outputs, outputs_, steps);
}

void Memory::remember(const Experience& episodes, std::size_t most) {
  append(kept_.inputs, episodes.inputs);
  append(kept_.outputs, episodes.outputs);
  append(kept_.actions, episodes.actions);
  append(kept_.lengths, episodes.lengths);
  if (kept_.lengths.size() <= most) return;
  const std::size_t forgotten = kept_.lengths.size() - most;
  const auto steps = static_cast<std::size_t>(
      std::accumulate(kept_.lengths.begin(), kept_.lengths.begin() + static_cast<std::ptrdiff_t>(forgotten), 0));
  drop_front(kept_.lengths, forgotten);
  drop_front(kept_.inputs, steps * histories_.features());
  drop_front(kept_.outputs, steps * outputs_);
  drop_front(kept_.actions, steps * action_size());
}

void Memory::save(StateWriter& state) const {
  state.write_all(std::span(kept_.inputs));
  state.write_all(std::span(kept_.outputs));
  state.write_all(std::span(kept_.actions));
  state.write_all(std::span(kept_.lengths));
}

void Memory::load(StateReader& state) {
  kept_.inputs = state.read_all<float>();
  kept_.outputs = state.read_all<float>();
  kept_.actions = state.read_all<float>();
  kept_.lengths = state.read_all<std::int32_t>();
}

}  // namespace fleet
