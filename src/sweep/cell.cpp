#include "sweep/cell.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "io/hdf5.hpp"

namespace fleet {
namespace {

constexpr std::array<std::pair<std::string_view, FleetOptions::HandBack>, 2> kHandBack{
    {{"all", FleetOptions::HandBack::kAll}, {"participants", FleetOptions::HandBack::kParticipants}}};
constexpr std::array<std::pair<std::string_view, FleetOptions::Trainees>, 2> kTrainees{
    {{"all", FleetOptions::Trainees::kAll}, {"participants", FleetOptions::Trainees::kParticipants}}};
constexpr std::array<std::pair<std::string_view, FleetOptions::Moments>, 3> kMoments{
    {{"reset", FleetOptions::Moments::kReset},
     {"keep", FleetOptions::Moments::kKeep},
     {"average", FleetOptions::Moments::kAverage}}};
constexpr std::array<std::pair<std::string_view, FleetOptions::LocalTests>, 3> kLocalTests{
    {{"never", FleetOptions::LocalTests::kNever},
     {"last", FleetOptions::LocalTests::kLast},
     {"every", FleetOptions::LocalTests::kEvery}}};
constexpr std::array<std::pair<std::string_view, FleetOptions::JointSteps>, 2> kJointSteps{
    {{"robot", FleetOptions::JointSteps::kRobot}, {"fleet", FleetOptions::JointSteps::kFleet}}};
constexpr std::array<std::pair<std::string_view, SavedModels>, 3> kSavedModels{
    {{"none", SavedModels::kNone}, {"merged", SavedModels::kMerged}, {"all", SavedModels::kAll}}};

/// Columns of the cells table that are there whether or not they are swept.
constexpr std::array kColumns = {"workload",           "merge.method",       "seed",
                                 "fleet.robots",       "fleet.alpha",        "fleet.partition",
                                 "merge.every_epochs", "merge.participation"};

constexpr std::array<std::pair<std::string_view, bool>, 2> kRetries{{{"never", false}, {"once", true}}};

FleetOptions read_fleet_options(SettingsReader& settings) {
  FleetOptions options;
  settings.read("seed", options.seed);
  settings.read("fleet.robots", options.robots, at_least(1));
  settings.read("train.epochs", options.epochs, at_least(1));
  settings.read("train.robots", options.trainees, Names<FleetOptions::Trainees>(kTrainees));
  settings.read("merge.every_epochs", options.merge_every, at_least(0));
  settings.read("merge.participation", options.participation, {.low = 0, .high = 1, .open_low = true});
  settings.read("merge.hand_back", options.hand_back, Names<FleetOptions::HandBack>(kHandBack));
  settings.read("merge.moments", options.moments, Names<FleetOptions::Moments>(kMoments));
  settings.read("evaluate.every_rounds", options.test_every, at_least(0));
  settings.read("evaluate.local", options.local_tests, Names<FleetOptions::LocalTests>(kLocalTests));
  return options;
}

RunOptions read_run_options(SettingsReader& settings, const std::string& name) {
  RunOptions options{.output = "results/" + name};
  settings.read("run.output", options.output);
  options.output = without_trailing_slash(options.output);
  settings.read("run.ranks_per_cell", options.ranks_per_cell, at_least(0));
  settings.read("run.threads", options.threads, at_least(1));
  settings.read("run.save_weights", options.save_weights);
  settings.read("run.save_models", options.save_models, Names<SavedModels>(kSavedModels));
  settings.read("run.checkpoint.every_rounds", options.checkpoint.every_rounds, at_least(0));
  settings.read("run.checkpoint.every_minutes", options.checkpoint.every_minutes, at_least(0));
  settings.read("run.retry", options.retry_failed, Names<bool>(kRetries));
  return options;
}

/// One cell's settings: the base, with the index-th choice of points on the axes; the last axis varies fastest.
Settings choose(const Settings& base, const std::vector<Axis>& axes, std::size_t index, Cell& cell) {
  std::vector<std::size_t> point(axes.size());
  for (std::size_t a = axes.size(); a-- > 0;) {
    point[a] = index % axes[a].points.size();
    index /= axes[a].points.size();
  }
  Settings chosen = base;
  for (std::size_t a = 0; a < axes.size(); ++a) {
    for (std::size_t k = 0; k < axes[a].keys.size(); ++k) {
      const Value& value = axes[a].points[point[a]][k];
      chosen.insert_or_assign(axes[a].keys[k], Setting{value, axes[a].sources[k]});
      cell.axes.emplace_back(axes[a].keys[k], value);
    }
  }
  return chosen;
}

bool is_left_out(const Cell& cell, std::span<const Exclusion> exclusions) {
  return std::any_of(exclusions.begin(), exclusions.end(),
                     [&](const Exclusion& exclusion) { return exclusion.covers(cell.axes); });
}

bool meets(const CellFacts& facts, const MergerNeeds& needs) {
  return facts.symmetry >= needs.symmetry && (facts.layers || !needs.layers);
}

/// Rejects the setting by which a method needs what the policies of this cell do not have.
void check_needs(const Cell& cell, const MergerNeeds& needs) {
  if (meets(cell.facts, needs)) return;
  std::string suited;
  const Settings none;
  for (const MergerEntry& entry : merger_table()) {
    SettingsReader defaults(none);
    const std::unique_ptr<Merger> other = entry.make(defaults);
    if (other != nullptr && meets(cell.facts, other->needs())) suited += cat(suited.empty() ? "" : ", ", entry.name);
  }
  const std::string policies = cat("the policies of workload \"", cell.workload, '"');
  reject(needs.key, cell.settings.find(needs.key)->second,
         cat(cell.facts.symmetry < needs.symmetry
                 ? cat("this needs policies that any change of basis leaves unchanged, but the units of ", policies,
                       " can only be permuted")
                 : cat("this works layer by layer, but ", policies, " are no layered networks"),
             "; methods for them are ", suited));
}

/// Rejects finetuning of merged policies on data that are not there.
void check_held_out(const Cell& cell) {
  if (cell.instruments.finetune_steps == 0 || cell.facts.held_out) return;
  constexpr std::string_view kKey = "instruments.finetune_steps";
  reject(kKey, cell.settings.find(kKey)->second,
         "merged policies are finetuned on data that no robot trains on, and there are none; set data.held_out, say to "
         "0.1");
}

/// Adds to `ruled_out` what the cell has to say of keys that it does not read.
void read_cell(const Settings& chosen, std::span<const WorldEntry> table, Worlds& worlds, Cell& cell,
               Reasons& ruled_out) {
  SettingsReader reader(chosen);
  cell.fleet = read_fleet_options(reader);
  cell.instruments = read_instrument_options(reader);

  std::vector<std::string_view> methods;
  for (const MergerEntry& entry : merger_table()) methods.push_back(entry.name);
  cell.method = "fleet-merge";
  reader.read("merge.method", cell.method, methods);
  const MergerEntry& method = find_merger(cell.method);
  const std::unique_ptr<Merger> merger = method.make(reader);
  if (method.regime == Regime::kJoint) {
    reader.read("merge.joint.steps", cell.fleet.joint_steps, Names<FleetOptions::JointSteps>(kJointSteps));
  }

  std::vector<std::string_view> names;
  for (const WorldEntry& entry : table) names.push_back(entry.name);
  cell.workload = "mnist";
  reader.read("workload", cell.workload, names);
  const auto entry =
      std::find_if(table.begin(), table.end(), [&](const WorldEntry& e) { return e.name == cell.workload; });
  auto world = worlds.find(cell.workload);
  if (world == worlds.end()) world = worlds.emplace(cell.workload, entry->make()).first;
  cell.facts = world->second->describe(reader);
  cell.settings = reader.resolved();
  ruled_out.insert(reader.ruled_out().begin(), reader.ruled_out().end());
  if (merger != nullptr) {
    check_needs(cell, merger->needs());
    check_held_out(cell);
    cell.exchange = merger->needs().exchange;
  }

  Settings outcome = cell.settings;  // what decides it: not where the data lies or how the cell is run
  std::erase_if(outcome, [](const auto& setting) { return setting.first.starts_with("run."); });
  outcome.erase(cell.facts.data_key);
  Hash id;
  id.add(to_text(outcome));
  if (!cell.facts.data.empty()) id.add(cell.facts.data);
  // Axes are in whatever order they were written. Those that the cell reads are among its settings, where they count no
  // more than if they were no axes: a sweep that gets another axis keeps the cells that it has.
  const std::map<std::string, Value> axes(cell.axes.begin(), cell.axes.end());
  for (const auto& [key, value] : axes) {
    if (!cell.settings.contains(key)) id.add(key).add(value.to_string());
  }
  cell.id = id.hex();
}

/// Rejects the value by which `cell` is `other` once more, spelt in another way.
void reject_twin(std::span<const Axis> axes, const Cell& other, const Cell& cell) {
  std::size_t place = 0;
  for (const Axis& axis : axes) {
    for (std::size_t k = 0; k < axis.keys.size(); ++k, ++place) {
      const auto& [key, value] = cell.axes[place];
      if (value == other.axes[place].second) continue;
      reject(key, Setting{value, axis.sources[k]},
             cat("that is ", other.axes[place].second.to_string(), ", which stands on the axis already"));
    }
  }
}

/// Every key that some method reads, chosen or not: a table of options may stand ready beside a sweep of methods.
Settings method_settings(const Settings& base) {
  SettingsReader reader(base);
  for (const MergerEntry& entry : merger_table()) entry.make(reader);
  FleetOptions ignored;
  reader.read("merge.joint.steps", ignored.joint_steps, Names<FleetOptions::JointSteps>(kJointSteps));
  return reader.resolved();
}

/// The sweep as a configuration of its own: base with defaults, then axes and what is left out.
std::string canonical_text(const Sweep& sweep, const Settings& resolved) {
  std::string text = cat("name = ", Value(sweep.name).to_string(), '\n');
  std::set<std::string_view> varied;
  for (const Axis& axis : sweep.axes) varied.insert(axis.keys.begin(), axis.keys.end());
  for (const auto& [key, setting] : resolved) {
    if (key != "name" && !varied.contains(key)) text += cat(key, " = ", setting.value.to_string(), '\n');
  }
  return text + to_text(sweep.axes, sweep.exclusions);
}

/// The sweep as text, from what is read of it as a whole and what its cells have `applied`.
void write_texts(Settings whole, Settings applied, Sweep& sweep) {
  whole.insert(applied.begin(), applied.end());
  sweep.resolved = canonical_text(sweep, whole);
  // What it is leaves out how it is run, and where its data lie, but not what they are.
  std::set<std::string> digests;
  for (const Cell& cell : sweep.cells) {
    applied.erase(cell.facts.data_key);
    digests.insert(cell.facts.data);
  }
  std::erase_if(applied, [](const auto& setting) { return setting.first.starts_with("run."); });
  sweep.config = canonical_text(sweep, applied);
  for (const std::string& digest : digests) {
    if (!digest.empty()) sweep.config += cat("# of data ", digest, '\n');
  }
}

}  // namespace

std::string Cell::label() const {
  std::string text;
  for (const auto& [key, value] : axes) text += cat(text.empty() ? "" : " ", key, '=', value.to_string());
  return text.empty() ? "the only cell" : text;
}

std::vector<std::pair<std::string, Value>> Cell::columns() const {
  std::vector<std::pair<std::string, Value>> columns;
  const auto add = [&](const std::string& key) {
    const auto setting = settings.find(key);
    const bool taken = std::any_of(columns.begin(), columns.end(), [&](const auto& c) { return c.first == key; });
    if (setting != settings.end() && !taken) columns.emplace_back(key, setting->second.value);
  };
  for (const auto& [key, value] : axes) {
    add(key);
    // A key that this cell's method does not read still has its place on the axis.
    if (!settings.contains(key)) columns.emplace_back(key, value);
  }
  for (const char* key : kColumns) add(key);
  return columns;
}

double Cell::cost() const {
  const bool some = fleet.trainees == FleetOptions::Trainees::kParticipants;
  const double training = some && find_merger(method).regime == Regime::kMerge ? fleet.participation : 1.0;
  return training * static_cast<double>(facts.train_samples) * fleet.epochs * static_cast<double>(facts.parameters);
}

bool Sweep::asks_for_gpus() const {
  return std::any_of(cells.begin(), cells.end(), [](const Cell& cell) { return cell.facts.gpu; });
}

std::string without_trailing_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

Sweep expand(const Settings& settings, std::string_view default_name, std::span<const WorldEntry> table,
             Worlds& worlds) {
  Settings base;
  for (const auto& [key, setting] : settings) {
    if (!is_of_axes(key)) base.insert({key, setting});
  }
  Sweep sweep{.name = std::string(default_name), .axes = read_axes(settings)};
  sweep.exclusions = read_exclusions(settings, sweep.axes);
  SettingsReader general(base);
  general.read("name", sweep.name);
  sweep.run = read_run_options(general, sweep.name);

  std::size_t count = 1;
  for (const Axis& axis : sweep.axes) count *= axis.points.size();
  Settings applied;                           // what the cells read; of keys that vary, the first cell's value
  std::map<std::string, std::size_t> places;  // by id
  Reasons ruled_out;
  for (std::size_t i = 0; i < count; ++i) {
    Cell cell;
    const Settings chosen = choose(base, sweep.axes, i, cell);
    if (is_left_out(cell, sweep.exclusions)) continue;
    read_cell(chosen, table, worlds, cell, ruled_out);
    applied.insert(cell.settings.begin(), cell.settings.end());
    const auto [twin, is_new] = places.emplace(cell.id, sweep.cells.size());
    if (!is_new) reject_twin(sweep.axes, sweep.cells[twin->second], cell);
    sweep.cells.push_back(std::move(cell));
  }
  sweep.left_out = count - sweep.cells.size();
  if (sweep.cells.empty()) {
    throw ConfigError(cat(sweep.exclusions.front().source.to_string(),
                          ": together the [[sweep.exclude]] tables leave no cell to run"));
  }
  Settings known = general.resolved();
  known.insert(applied.begin(), applied.end());
  known.merge(method_settings(base));
  Settings written = base;
  for (const Axis& axis : sweep.axes) {
    for (std::size_t k = 0; k < axis.keys.size(); ++k) {
      written.insert_or_assign(axis.keys[k], Setting{axis.points.front()[k], axis.sources[k]});
    }
  }
  reject_unknown_keys(written, known, ruled_out);
  write_texts(general.resolved(), std::move(applied), sweep);
  if (sweep.config.size() > kLongestText) {
    throw ConfigError(cat("the configuration has ", sweep.config.size(),
                          " characters with its defaults, and results hold ", kLongestText,
                          " of them beside the numbers; several sweeps with fewer values each will do"));
  }
  return sweep;
}

}  // namespace fleet
