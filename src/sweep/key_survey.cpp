#include "sweep/key_survey.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "merge/choice.hpp"
#include "merge/precision.hpp"
#include "merge/renewed_norms.hpp"
#include "merge/rounds_after.hpp"
#include "merge/shared_part.hpp"
#include "sweep/cell_reader.hpp"
#include "sweep/methods.hpp"

namespace fleet {
namespace {

using Read = std::function<void(SettingsReader&)>;
/// A key, read in one way.
using Item = std::pair<std::string, KeyNote>;

/// What is read where these settings are written.
struct Visit {
  Settings written;
  KeyNotes notes;
  bool whole = false;  ///< nothing was rejected
};

/// Two visits that differ in what is written for one key.
struct Step {
  std::size_t from = 0;
  std::size_t to = 0;
  std::string key;
};

bool has_choices(const KeyNote& note) {
  return note.type == "name" || note.type == "true or false";
}

std::vector<std::string> choices_of(const KeyNote& note) {
  return note.type == "name" ? note.choices : std::vector<std::string>{"false", "true"};
}

Value to_value(const KeyNote& note, const std::string& choice) {
  if (note.type == "name") return choice;
  return choice == "true";
}

/// What a visit has for a key of choices, be it written or the default.
std::string chosen(const Visit& visit, const std::string& key) {
  const auto written = visit.written.find(key);
  const Value& value = written != visit.written.end() ? written->second.value : visit.notes.at(key).standard;
  if (const auto* text = std::get_if<std::string>(&value.data)) return *text;
  return value.to_string();
}

/// Visits one reader with every choice, and with every further choice where one has changed what is read.
class Explorer {
 public:
  explicit Explorer(Read read) : read_(std::move(read)) {
    visit({});
    for (std::size_t i = 0; i < visits_.size(); ++i) {
      if (expanded_.contains(i)) step_from(i);
    }
  }

  /// Every item that some visit has read, with what it depends on.
  [[nodiscard]] std::vector<std::pair<Item, std::vector<KeyCondition>>> items() const {
    std::vector<std::pair<Item, std::vector<KeyCondition>>> items;
    for (const Visit& visit : visits_) {
      for (const Item item : visit.notes) {
        const bool known = std::ranges::any_of(items, [&](const auto& other) { return other.first == item; });
        if (!known) items.emplace_back(item, conditions_of(item));
      }
    }
    return items;
  }

 private:
  static constexpr std::size_t kDeepest = 3;  // choices at a time

  static bool reads(const Visit& visit, const Item& item) {
    const auto note = visit.notes.find(item.first);
    return note != visit.notes.end() && note->second == item.second;
  }

  /// Its index; the visit that was made before, if there was one.
  std::size_t visit(Settings written) {
    const auto [known, is_new] = places_.try_emplace(to_text(written), visits_.size());
    if (!is_new) return known->second;
    Visit visit{.written = std::move(written)};
    SettingsReader reader(visit.written, &visit.notes);
    try {
      read_(reader);
      visit.whole = true;
    } catch (const Error&) {  // choices that do not go together
    }
    if (visits_.empty()) expanded_.insert(0);
    visits_.push_back(std::move(visit));
    return visits_.size() - 1;
  }

  void step_from(std::size_t from) {
    const KeyNotes notes = visits_[from].notes;
    for (const auto& [key, note] : notes) {
      if (!has_choices(note)) continue;
      for (const std::string& choice : choices_of(note)) {
        if (choice == chosen(visits_[from], key)) continue;
        Settings written = visits_[from].written;
        written.insert_or_assign(key, Setting{to_value(note, choice), Source{"survey"}});
        const std::size_t size = written.size();
        const std::size_t to = visit(std::move(written));
        steps_.push_back({.from = from, .to = to, .key = key});
        if (visits_[to].whole && visits_[to].notes != notes && size < kDeepest) expanded_.insert(to);
      }
    }
  }

  /// The keys whose choices decide whether it is read, each with those where it is.
  [[nodiscard]] std::vector<KeyCondition> conditions_of(const Item& item) const {
    std::set<std::string> deciding;
    for (const Step& step : steps_) {
      const Visit& from = visits_[step.from];
      const Visit& to = visits_[step.to];
      if (from.whole && to.whole && reads(from, item) != reads(to, item)) deciding.insert(step.key);
    }
    std::vector<KeyCondition> conditions;
    for (const std::string& key : deciding) {
      std::set<std::string> values;
      std::vector<std::string> all;
      for (const Visit& visit : visits_) {
        const auto note = visit.notes.find(key);
        if (note == visit.notes.end() || !visit.whole) continue;
        for (const std::string& choice : choices_of(note->second)) {  // other choices of others may have more of it
          if (std::ranges::count(all, choice) == 0) all.push_back(choice);
        }
        if (reads(visit, item)) values.insert(chosen(visit, key));
      }
      if (values.size() == all.size()) continue;
      std::erase_if(all, [&](const std::string& choice) { return !values.contains(choice); });
      conditions.emplace_back(key, std::move(all));
    }
    return conditions;
  }

  Read read_;
  std::vector<Visit> visits_;
  std::map<std::string, std::size_t> places_;  // of the visits, by what is written
  std::set<std::size_t> expanded_;
  std::vector<Step> steps_;
};

using Found = std::map<std::string, std::vector<KeyUse>>;

void add(const Item& item, std::vector<KeyCondition> conditions, const std::string& world, Found& found) {
  std::vector<KeyUse>& uses = found[item.first];
  for (KeyUse& use : uses) {
    // What every sweep reads, a world may read once more, if within other bounds.
    const bool general = use.worlds.empty() && use.note.choices == item.second.choices &&
                         use.note.standard == item.second.standard && use.note.type == item.second.type;
    const bool alike = use.note == item.second && use.conditions == conditions;
    if (alike && !world.empty() && !use.worlds.empty()) use.worlds.push_back(world);
    if (general || alike) return;
  }
  uses.push_back({.note = item.second, .conditions = std::move(conditions), .worlds = {}});
  if (!world.empty()) uses.back().worlds.push_back(world);
}

/// What is read of every sweep, whatever its world and method.
void read_general(SettingsReader& reader, std::span<const WorldEntry> worlds) {
  std::string name = "NAME";
  read_name(reader, name);
  (void)read_run_options(reader, name);
  (void)read_fleet_options(reader);
  (void)read_rounds_after(reader, 0);
  (void)read_renew_norms(reader);
  (void)read_precision(reader);
  (void)read_choice(reader);
  (void)read_privacy(reader);
  (void)read_parameters(reader);
  (void)read_instrument_options(reader);
  (void)read_method({}, reader);
  (void)read_workload(reader, worlds);
}

}  // namespace

std::vector<SurveyedKey> survey_keys(std::span<const WorldEntry> worlds) {
  Found found;
  for (auto& [item, conditions] : Explorer([&](SettingsReader& reader) { read_general(reader, worlds); }).items())
    add(item, std::move(conditions), "", found);
  for (const MergerEntry& method : method_table()) {
    const auto read = [&](SettingsReader& reader) {
      (void)method.make(reader);
      FleetOptions ignored;
      if (method.regime == Regime::kJoint) read_joint_options(reader, ignored);
    };
    for (auto& [item, conditions] : Explorer(read).items()) {
      const bool own = item.first.starts_with(cat("merge.", method.name, '.'));  // others' are found with them
      if (own) add(item, std::move(conditions), "", found);
    }
  }
  for (const WorldEntry& entry : worlds) {
    std::unique_ptr<World> world;
    try {
      world = entry.make();
    } catch (const ConfigError&) {  // not built
      continue;
    }
    for (auto& [item, conditions] : Explorer([&](SettingsReader& reader) { world->survey(reader); }).items())
      add(item, std::move(conditions), std::string(entry.name), found);
  }
  std::vector<SurveyedKey> keys;
  for (auto& [key, uses] : found) keys.push_back({.key = key, .uses = std::move(uses)});
  return keys;
}

std::vector<std::string> conditions_of(const KeyUse& use) {
  std::vector<std::string> texts;
  for (const auto& [key, wanted] : use.conditions) {
    std::vector<std::string> values;
    for (const std::string& value : wanted) {
      values.push_back(value == "true" || value == "false" ? value : Value(value).to_string());
    }
    texts.push_back(cat(key, " = ", alternatives(values)));
  }
  return texts;
}

std::string where_read(const SurveyedKey& key) {
  std::vector<std::string> worlds;
  std::vector<std::string> settings;  // of each use: those that it takes
  const auto add = [](std::vector<std::string>& to, const std::string& text) {
    if (!text.empty() && std::ranges::find(to, text) == to.end()) to.push_back(text);
  };
  for (const KeyUse& use : key.uses) {
    std::string all;
    for (const std::string& condition : conditions_of(use)) all += cat(all.empty() ? "" : " and ", condition);
    for (const std::string& world : use.worlds) add(worlds, world);
    add(settings, all);
  }
  std::string where;
  if (!worlds.empty()) where = cat("of workload ", alternatives(worlds));
  for (const std::string& each : settings) {
    const bool first = &each == &settings.front();
    where += cat(where.empty() ? "read where " : first ? ", where " : ", or where ", each);
  }
  return where;
}

}  // namespace fleet
