#include "train/partition.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/error.hpp"
#include "base/random.hpp"
#include "train/shared_keys.hpp"

namespace fleet {
namespace {

using Indices = std::vector<std::int32_t>;

/// Samples that stay together: those of an episode, or one by itself.
using Card = Indices;
using Cards = std::vector<Card>;

std::size_t samples_of(const Cards& cards) {
  return std::accumulate(cards.begin(), cards.end(), std::size_t{0},
                         [](std::size_t sum, const Card& card) { return sum + card.size(); });
}

void append(const Card& card, Indices& hand) {
  hand.insert(hand.end(), card.begin(), card.end());
}

/// Whether whole cards come nearer to `wanted` samples with the next than without.
bool takes(std::ptrdiff_t wanted, const Card& next) {
  return 2 * wanted >= static_cast<std::ptrdiff_t>(next.size());
}

/// A class's cards, dealt without repetition until they run out.
class Deck {
 public:
  explicit Deck(const Cards& cards) : cards_(cards) {}
  [[nodiscard]] bool empty() const { return cards_.empty(); }

  /// Deals as near to `wanted` samples as whole cards come; how many more it should have been.
  std::ptrdiff_t deal(std::ptrdiff_t wanted, RandomStream& stream, Indices& hand) {
    while (wanted > 0) {
      if (next_ == cards_.size()) {
        stream.shuffle(std::span(cards_));
        next_ = 0;
      }
      const Card& card = cards_[next_];
      if (!takes(wanted, card)) break;
      append(card, hand);
      wanted -= static_cast<std::ptrdiff_t>(card.size());
      ++next_;
    }
    return wanted;
  }

 private:
  Cards cards_;
  std::size_t next_ = 0;
};

std::vector<Indices> mixture(const std::vector<Cards>& by_class, const std::vector<std::vector<double>>& mixtures,
                             RandomStream& stream) {
  std::vector<Deck> decks(by_class.begin(), by_class.end());
  std::size_t total = 0;
  for (const Cards& members : by_class) total += samples_of(members);
  std::vector<Indices> hands(mixtures.size());
  if (total == 0) return hands;
  const std::size_t size = total / mixtures.size();
  std::vector<std::ptrdiff_t> missing(decks.size(), 0);  // of each class, what whole cards owe the robots so far
  for (std::size_t i = 0; i < hands.size(); ++i) {
    const std::vector<double> shares = restricted(mixtures[i], [&](std::size_t k) { return decks[k].empty(); });
    const std::vector<std::size_t> counts = apportion(shares, size);
    for (std::size_t k = 0; k < decks.size(); ++k) {
      if (counts[k] == 0) continue;
      missing[k] = decks[k].deal(static_cast<std::ptrdiff_t>(counts[k]) + missing[k], stream, hands[i]);
    }
  }
  return hands;
}

std::vector<Indices> per_class(const std::vector<Cards>& by_class, const std::vector<std::vector<double>>& splits,
                               std::size_t robots) {
  std::vector<Indices> hands(robots);
  for (std::size_t k = 0; k < by_class.size(); ++k) {
    const std::vector<std::size_t> counts = apportion(splits[k], samples_of(by_class[k]));
    auto next = by_class[k].begin();
    std::ptrdiff_t missing = 0;
    for (std::size_t i = 0; i < robots; ++i) {
      missing += static_cast<std::ptrdiff_t>(counts[i]);
      for (; next != by_class[k].end() && missing > 0 && takes(missing, *next); ++next) {
        append(*next, hands[i]);
        missing -= static_cast<std::ptrdiff_t>(next->size());
      }
    }
  }
  return hands;
}

std::vector<Indices> iid(const std::vector<Cards>& by_class, std::size_t robots, RandomStream& stream) {
  Cards all;
  for (const Cards& members : by_class) all.insert(all.end(), members.begin(), members.end());
  stream.shuffle(std::span(all));
  std::vector<Indices> hands(robots);
  for (const Card& card : all) {
    append(card, *std::min_element(hands.begin(), hands.end(),
                                   [](const Indices& a, const Indices& b) { return a.size() < b.size(); }));
  }
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

/// Each sample by itself or, where it is of an episode, with the others: in order, where the first of them stood.
Cards cards_of(const Indices& samples, std::span<const std::int32_t> episodes) {
  Cards cards;
  std::map<std::int32_t, std::size_t> places;
  for (const std::int32_t sample : samples) {
    const bool alone = episodes.empty();
    const std::size_t place =
        alone ? cards.size() : places.emplace(episodes[static_cast<std::size_t>(sample)], cards.size()).first->second;
    if (place == cards.size()) cards.emplace_back();
    cards[place].push_back(sample);
  }
  for (Card& card : cards) std::sort(card.begin(), card.end());
  return cards;
}

/// Takes the last `share` of every class away, rounded to the nearest card; for `some`, at least one of each class that
/// has two, and never all.
std::vector<Cards> split_off(std::vector<Cards>& by_class, double share, bool some) {
  std::vector<Cards> taken;
  for (Cards& members : by_class) {
    const auto all = static_cast<double>(members.size());
    double count = std::round(share * all);
    if (some && share > 0.0 && all >= 2.0) count = std::clamp(count, 1.0, all - 1.0);
    const auto from = members.end() - static_cast<std::ptrdiff_t>(count);
    taken.emplace_back(from, members.end());
    members.erase(from, members.end());
  }
  return taken;
}

/// The samples of each class's cards by themselves, shuffled.
std::vector<Cards> apart(const std::vector<Cards>& by_class, RandomStream& stream) {
  std::vector<Cards> singles;
  for (const Cards& cards : by_class) {
    Indices samples;
    for (const Card& card : cards) append(card, samples);
    stream.shuffle(std::span(samples));
    singles.push_back(cards_of(samples, {}));
  }
  return singles;
}

/// Cards by class: those that are trained on, and those that no robot trains on.
struct Split {
  std::vector<Cards> train;
  std::vector<Cards> held_out;
};

Split split_samples(std::span<const std::uint8_t> labels, int classes, const PartitionOptions& options,
                    std::span<const std::int32_t> episodes, RandomStream& stream) {
  require(episodes.empty() || episodes.size() == labels.size(), "there are ", episodes.size(), " episodes for ",
          labels.size(), " samples");
  Split split;
  for (const Indices& samples : draw_by_class(labels, classes, options.samples, stream)) {
    split.train.push_back(cards_of(samples, episodes));
  }
  split.held_out = split_off(split.train, options.held_out, !episodes.empty());
  return split;
}

}  // namespace

PartitionOptions read_partition_options(SettingsReader& settings, bool takes_drawn) {
  using Kind = PartitionOptions::Kind;
  static constexpr std::array<std::pair<std::string_view, Kind>, 4> kKinds{
      {{"mixture", Kind::kMixture}, {"per-class", Kind::kPerClass}, {"iid", Kind::kIid}, {"drawn", Kind::kDrawn}}};
  PartitionOptions options;
  settings.read("data.held_out", options.held_out, between(0, 0.9),
                "Share of the data that no robot trains on; methods judge candidates by it.");
  settings.read("fleet.robots", options.robots, at_least(1), about::kRobots);
  settings.read("fleet.partition", options.kind, Names<Kind>(kKinds).first(takes_drawn ? 4 : 3),
                "How the data are dealt to the robots.");
  settings.read("fleet.alpha", options.alpha, above(0), about::kAlpha);
  if (options.kind == Kind::kDrawn) {
    settings.read("fleet.samples", options.drawn, between(0, 1e9),
                  "Samples that each robot trains on; 0: as many as there are for each.");
    settings.read("fleet.size_exponent", options.size_exponent, between(0, 1e3),
                  "Exponent of the power law that robots' sizes follow, above 1; 0: all are equal.");
    if (options.size_exponent > 0.0 && options.size_exponent <= 1.0) {
      reject("fleet.size_exponent", settings.resolved().at("fleet.size_exponent"),
             "expected 0, for equal sizes, or more than 1: sizes of a smaller exponent have no mean");
    }
    settings.read("fleet.classes", options.classes_each, between(0, 256),
                  "Classes that each robot has, in equal parts; 0: by the mixture.");
  } else if (takes_drawn) {
    for (const char* key : {"fleet.samples", "fleet.size_exponent", "fleet.classes"}) {
      settings.rule_out(key, "it is of fleet.partition = \"drawn\"");
    }
  }
  return options;
}

std::vector<double> restricted(std::vector<double> shares, const std::function<bool(std::size_t)>& is_empty) {
  double total = 0.0;
  for (std::size_t k = 0; k < shares.size(); ++k) total += is_empty(k) ? shares[k] = 0.0 : shares[k];
  if (total == 0.0) {  // all the mass lay on empty classes
    for (std::size_t k = 0; k < shares.size(); ++k) total += shares[k] = is_empty(k) ? 0.0 : 1.0;
  }
  for (double& share : shares) share /= total;
  return shares;
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

SampleCounts count_samples(std::span<const std::uint8_t> labels, int classes, const PartitionOptions& options,
                           std::uint64_t seed, std::span<const std::int32_t> episodes) {
  RandomStream stream(seed, Purpose::kPartition);
  SampleCounts counts;
  const Split split = split_samples(labels, classes, options, episodes, stream);
  for (const Cards& members : split.train) counts.train += static_cast<std::int64_t>(samples_of(members));
  for (const Cards& members : split.held_out) counts.held_out += static_cast<std::int64_t>(samples_of(members));
  return counts;
}

std::vector<Shard> partition(std::span<const std::uint8_t> labels, int classes, const PartitionOptions& options,
                             std::uint64_t seed, std::span<const std::int32_t> episodes) {
  RandomStream stream(seed, Purpose::kPartition);
  const auto robots = static_cast<std::size_t>(options.robots);
  auto [train, held_out] = split_samples(labels, classes, options, episodes, stream);
  if (!episodes.empty()) held_out = apart(held_out, stream);

  std::vector<std::vector<double>> weights;  // per robot over classes, or per class over robots
  const bool mixed = options.kind == PartitionOptions::Kind::kMixture;
  for (std::size_t i = 0; i < (mixed ? robots : train.size()); ++i) {
    weights.push_back(stream.dirichlet(options.alpha, mixed ? train.size() : robots));
  }
  const auto deal = [&](const std::vector<Cards>& by_class) {
    switch (options.kind) {
      case PartitionOptions::Kind::kMixture:
        return mixture(by_class, weights, stream);
      case PartitionOptions::Kind::kPerClass:
        return per_class(by_class, weights, robots);
      case PartitionOptions::Kind::kIid:
      case PartitionOptions::Kind::kDrawn:
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

SamplesByClass split_samples(std::span<const std::uint8_t> labels, int classes, const PartitionOptions& options,
                             std::uint64_t seed) {
  RandomStream stream(seed, Purpose::kPartition);
  const Split split = split_samples(labels, classes, options, {}, stream);
  const auto flat = [](const std::vector<Cards>& by_class) {
    std::vector<Indices> samples;
    for (const Cards& cards : by_class) {
      Indices& members = samples.emplace_back();
      for (const Card& card : cards) append(card, members);
    }
    return samples;
  };
  return {.train = flat(split.train), .held_out = flat(split.held_out)};
}

}  // namespace fleet
