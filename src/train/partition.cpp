#include "train/partition.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "base/error.hpp"
#include "base/random.hpp"

namespace fleet {
namespace {

using Indices = std::vector<std::int32_t>;

/// A class's samples, dealt without repetition until they run out.
class Deck {
 public:
  explicit Deck(std::span<const std::int32_t> cards) : cards_(cards.begin(), cards.end()) {}
  [[nodiscard]] bool empty() const { return cards_.empty(); }

  void deal(std::size_t count, RandomStream& stream, Indices& hand) {
    for (std::size_t i = 0; i < count; ++i) {
      if (next_ == cards_.size()) {
        stream.shuffle(std::span(cards_));
        next_ = 0;
      }
      hand.push_back(cards_[next_++]);
    }
  }

 private:
  Indices cards_;
  std::size_t next_ = 0;
};

/// The shares with those of empty classes spread over the others.
std::vector<double> restrict_to(std::vector<double> shares, const std::vector<Deck>& decks) {
  double total = 0.0;
  for (std::size_t k = 0; k < shares.size(); ++k) total += decks[k].empty() ? shares[k] = 0.0 : shares[k];
  if (total == 0.0) {  // all the mass lay on empty classes
    for (std::size_t k = 0; k < shares.size(); ++k) total += shares[k] = decks[k].empty() ? 0.0 : 1.0;
  }
  for (double& share : shares) share /= total;
  return shares;
}

std::vector<Indices> mixture(const std::vector<Indices>& by_class, const std::vector<std::vector<double>>& mixtures,
                             RandomStream& stream) {
  std::vector<Deck> decks(by_class.begin(), by_class.end());
  std::size_t total = 0;
  for (const Indices& members : by_class) total += members.size();
  std::vector<Indices> hands(mixtures.size());
  if (total == 0) return hands;
  const std::size_t size = total / mixtures.size();
  for (std::size_t i = 0; i < hands.size(); ++i) {
    const std::vector<std::size_t> counts = apportion(restrict_to(mixtures[i], decks), size);
    for (std::size_t k = 0; k < decks.size(); ++k) decks[k].deal(counts[k], stream, hands[i]);
  }
  return hands;
}

std::vector<Indices> per_class(const std::vector<Indices>& by_class, const std::vector<std::vector<double>>& splits,
                               std::size_t robots) {
  std::vector<Indices> hands(robots);
  for (std::size_t k = 0; k < by_class.size(); ++k) {
    const std::vector<std::size_t> counts = apportion(splits[k], by_class[k].size());
    auto from = by_class[k].begin();
    for (std::size_t i = 0; i < robots; ++i) {
      const auto to = from + static_cast<std::ptrdiff_t>(counts[i]);
      hands[i].insert(hands[i].end(), from, to);
      from = to;
    }
  }
  return hands;
}

std::vector<Indices> iid(const std::vector<Indices>& by_class, std::size_t robots, RandomStream& stream) {
  Indices all;
  for (const Indices& members : by_class) all.insert(all.end(), members.begin(), members.end());
  stream.shuffle(std::span(all));
  std::vector<Indices> hands(robots);
  for (std::size_t i = 0; i < all.size(); ++i) hands[i % robots].push_back(all[i]);
  return hands;
}

/// The samples to use, by class, shuffled.
std::vector<Indices> draw_by_class(std::span<const std::uint8_t> labels, int classes, std::int64_t samples,
                                   RandomStream& stream) {
  require(samples <= static_cast<std::int64_t>(labels.size()), "asked for ", samples, " samples of ", labels.size());
  Indices chosen(labels.size());
  std::iota(chosen.begin(), chosen.end(), 0);
  stream.shuffle(std::span(chosen));
  if (samples > 0) chosen.resize(static_cast<std::size_t>(samples));
  std::vector<Indices> by_class(static_cast<std::size_t>(classes));
  for (const std::int32_t sample : chosen) {
    const std::uint8_t label = labels[static_cast<std::size_t>(sample)];
    require(label < classes, "sample ", sample, " has label ", int{label}, "; there are ", classes, " classes");
    by_class[label].push_back(sample);
  }
  return by_class;
}

/// Takes the last `share` of every class away, rounded to the nearest sample.
std::vector<Indices> split_off(std::vector<Indices>& by_class, double share) {
  std::vector<Indices> taken;
  for (Indices& members : by_class) {
    const auto count = std::lround(share * static_cast<double>(members.size()));
    taken.emplace_back(members.end() - count, members.end());
    members.resize(members.size() - static_cast<std::size_t>(count));
  }
  return taken;
}

/// Takes `share` of every class's episodes away, drawn by the order of its samples.
std::vector<Indices> split_off_whole(std::vector<Indices>& by_class, double share,
                                     std::span<const std::int32_t> episodes) {
  const auto episode_of = [&](std::int32_t sample) { return episodes[static_cast<std::size_t>(sample)]; };
  std::vector<Indices> taken;
  for (Indices& members : by_class) {
    Indices order;  // of the first sample of each
    std::set<std::int32_t> met;
    for (const std::int32_t sample : members) {
      if (met.insert(episode_of(sample)).second) order.push_back(episode_of(sample));
    }
    const auto all = static_cast<double>(order.size());
    const double count = share > 0 && all >= 2 ? std::clamp(std::round(share * all), 1.0, all - 1) : 0;
    const std::set<std::int32_t> chosen(order.end() - static_cast<std::ptrdiff_t>(count), order.end());
    const auto from = std::stable_partition(members.begin(), members.end(),
                                            [&](std::int32_t sample) { return !chosen.contains(episode_of(sample)); });
    taken.emplace_back(from, members.end());
    members.erase(from, members.end());
  }
  return taken;
}

}  // namespace

PartitionOptions read_partition_options(SettingsReader& settings) {
  using Kind = PartitionOptions::Kind;
  constexpr std::array<std::pair<std::string_view, Kind>, 3> kKinds{
      {{"mixture", Kind::kMixture}, {"per-class", Kind::kPerClass}, {"iid", Kind::kIid}}};
  PartitionOptions options;
  settings.read("data.held_out", options.held_out, between(0, 0.9));
  settings.read("fleet.robots", options.robots, at_least(1));
  settings.read("fleet.partition", options.kind, Names<Kind>(kKinds));
  settings.read("fleet.alpha", options.alpha, above(0));
  return options;
}

std::vector<std::size_t> apportion(const std::vector<double>& shares, std::size_t total) {
  std::vector<std::size_t> counts;
  std::vector<double> remainders;
  for (const double share : shares) {
    const double exact = share * static_cast<double>(total);
    counts.push_back(static_cast<std::size_t>(exact));
    remainders.push_back(exact - std::floor(exact));
  }
  std::vector<std::size_t> order(shares.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainders[a] > remainders[b]; });
  std::size_t dealt = std::accumulate(counts.begin(), counts.end(), std::size_t{0});
  for (std::size_t i = 0; dealt < total; ++dealt, i = (i + 1) % order.size()) ++counts[order[i]];
  return counts;
}

std::vector<Shard> partition(std::span<const std::uint8_t> labels, int classes, const PartitionOptions& options,
                             std::uint64_t seed, std::span<const std::int32_t> episodes) {
  RandomStream stream(seed, Purpose::kPartition);
  const auto robots = static_cast<std::size_t>(options.robots);
  std::vector<Indices> train = draw_by_class(labels, classes, options.samples, stream);
  require(episodes.empty() || episodes.size() == labels.size(), "there are ", episodes.size(), " episodes for ",
          labels.size(), " samples");
  const std::vector<Indices> held_out =
      episodes.empty() ? split_off(train, options.held_out) : split_off_whole(train, options.held_out, episodes);

  std::vector<std::vector<double>> weights;  // per robot over classes, or per class over robots
  const bool mixed = options.kind == PartitionOptions::Kind::kMixture;
  for (std::size_t i = 0; i < (mixed ? robots : train.size()); ++i) {
    weights.push_back(stream.dirichlet(options.alpha, mixed ? train.size() : robots));
  }
  const auto deal = [&](const std::vector<Indices>& by_class) {
    switch (options.kind) {
      case PartitionOptions::Kind::kMixture:
        return mixture(by_class, weights, stream);
      case PartitionOptions::Kind::kPerClass:
        return per_class(by_class, weights, robots);
      case PartitionOptions::Kind::kIid:
        break;
    }
    return iid(by_class, robots, stream);
  };
  std::vector<Indices> trained = deal(train);
  std::vector<Indices> kept = deal(held_out);
  std::vector<Shard> shards(robots);
  for (std::size_t i = 0; i < robots; ++i) shards[i] = {std::move(trained[i]), std::move(kept[i])};
  return shards;
}

std::vector<std::vector<std::int64_t>> histograms_of(std::span<const Shard> shards,
                                                     std::span<const std::uint8_t> labels, int classes) {
  std::vector<std::vector<std::int64_t>> histograms;
  for (const Shard& shard : shards) {
    std::vector<std::int64_t>& histogram = histograms.emplace_back(static_cast<std::size_t>(classes));
    for (const std::int32_t sample : shard.train) ++histogram[labels[static_cast<std::size_t>(sample)]];
  }
  return histograms;
}

}  // namespace fleet
