#include "sweep/cell_reader.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "merge/rounds_after.hpp"
#include "merge/shared_part.hpp"
#include "sweep/common_training.hpp"
#include "sweep/methods.hpp"
#include "train/shared_keys.hpp"

namespace fleet {
namespace {

constexpr std::string_view kRenewNorms = "merge.renew_norms";
constexpr std::string_view kPrecision = "merge.precision";
constexpr std::string_view kHeadIterations = "merge.after.head_iterations";
constexpr std::string_view kAfterBody = "merge.after.body";

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

/// What others call the methods of the table.
constexpr std::array kOtherNames = {
    std::pair{"fedavg", "average"},         std::pair{"federated-averaging", "average"},
    std::pair{"mean", "average"},           std::pair{"model-soup", "average"},
    std::pair{"uniform", "average"},        std::pair{"fleetmerge", "fleet-merge"},
    std::pair{"rebasin", "git-rebasin"},    std::pair{"git-re-basin", "git-rebasin"},
    std::pair{"mergemany", "git-rebasin"},  std::pair{"weight-matching", "git-rebasin"},
    std::pair{"sinkhorn", "sinkhorn-data"}, std::pair{"sinkhorn-rebasin", "sinkhorn-data"},
    std::pair{"fisher-merging", "fisher"},  std::pair{"regression-mean", "regmean"},
    std::pair{"general-linear", "gl"},      std::pair{"independent", "local"},
    std::pair{"individual", "local"},       std::pair{"none", "local"},
    std::pair{"centralized", "joint"},      std::pair{"centralised", "joint"},
    std::pair{"pooled", "joint"},           std::pair{"multi-task", "joint"},
};

constexpr double kMost = 1e6;             // epochs, rounds, robots
constexpr double kLargestFleet = 0x1p46;  // bytes of weights: 64 TiB

/// Who takes part in a merge, and what becomes of them.
void read_participants(SettingsReader& settings, FleetOptions& options) {
  constexpr Range kChance{.low = 0, .high = 1};
  settings.read("merge.participants", options.participants, between(0, kMost),
                "Robots that take part in a merge, instead of their share; 0: by the share.");
  if (options.participants > options.robots) {
    reject("merge.participants", settings.resolved().at("merge.participants"),
           cat("there are ", options.robots, " robots (fleet.robots)"));
  }
  if (options.participants > 0) {
    settings.rule_out("merge.participation", "merge.participants says how many robots take part");
  } else {
    settings.read("merge.participation", options.participation, {.low = 0, .high = 1, .open_low = true},
                  "Share of the robots that take part in a merge.");
  }
  settings.read("merge.dropped", options.dropped, kChance,
                "Chance of each participant to fail in a round: what it has trained is lost.");
  settings.read("merge.late", options.late, kChance,
                "Chance of each other participant to be slow: it comes to the next merge instead.");
}

/// What the merged policy is to reach, from `text`, the value of `key`.
void set_target(const SettingsReader& settings, const char* key, const std::string& text, FleetOptions& options) {
  if (text.empty()) return;
  options.target = parse_target(text);
  const Setting& setting = settings.resolved().at(key);
  if (!options.target) {
    reject(key, setting, "expected a metric and a bound on it, such as \"accuracy >= 0.85\" or \"loss <= 0.3\"");
  }
  const Target& target = *options.target;
  const bool within = target.value >= 0.0 && target.value <= 1.0;
  if (is_share(target.metric) && !within) {
    reject(key, setting,
           cat(target.metric, " is a share: expected a bound between 0 and 1, where tables show percent"));
  }
}

void read_target(SettingsReader& settings, FleetOptions& options) {
  std::string text;
  settings.read("train.until", text, "A target of the merged policy that ends training, such as accuracy >= 0.85.");
  set_target(settings, "train.until", text, options);
  options.stop_at_target = options.target.has_value();
  if (options.stop_at_target) {
    settings.rule_out("evaluate.target", "train.until is a target already");
    return;
  }
  settings.read("evaluate.target", text, "A target of the merged policy, of which is told when it is reached.");
  set_target(settings, "evaluate.target", text, options);
}

/// In small letters, words joined by hyphens.
std::string plain(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_' || c == ' ') c = '-';
  }
  return name;
}

/// Rejects trials where no robot can act.
void check_trials(const Cell& cell, const MergerNeeds& needs) {
  constexpr std::string_view kKey = "merge.choose";
  if (!needs.asks.contains(Question::kTrials) || cell.facts.offers.contains(Question::kTrials)) return;
  reject(
      kKey, *cell.settings.find(kKey),
      cat("the policies of workload \"", cell.workload, "\" do not act in a world; \"loss\" chooses by held-out data"));
}

/// Rejects the setting by which a method needs what the policies of this cell do not have.
void check_needs(const Cell& cell, const MergerNeeds& needs) {
  const std::string why = obstacle(cell.facts, needs, cell.workload);
  if (why.empty()) return;
  std::string suited;
  const Settings none;
  for (const MergerEntry& entry : method_table()) {
    SettingsReader defaults(none);
    int rounds = 0;
    const std::unique_ptr<Merger> other = make_merger(entry, defaults, rounds);
    if (other != nullptr && obstacle(cell.facts, other->needs(), cell.workload).empty()) {
      suited += cat(suited.empty() ? "" : ", ", entry.name);
    }
  }
  reject(needs.key, *cell.settings.find(needs.key), cat(why, "; methods for them are ", suited));
}

/// Rejects what of the fleet's options a world does not have.
void check_offers(const Cell& cell, Regime regime) {
  if (regime == Regime::kJoint && !cell.facts.joint) {
    reject("merge.method", *cell.settings.find("merge.method"),
           cat("workload \"", cell.workload, "\" has no robot with everybody's data"));
  }
  if (regime == Regime::kMerge && cell.fleet.moments != FleetOptions::Moments::kReset && !cell.facts.moments) {
    reject("merge.moments", *cell.settings.find("merge.moments"),
           cat("what the optimisers of workload \"", cell.workload, "\" remember cannot be carried over a merge"));
  }
}

/// Rejects private merges by methods that see more of robots than sums.
void check_privacy(const Cell& cell, const Merger& merger) {
  const FleetOptions& fleet = cell.fleet;
  for (const auto& [key, chance] : {std::pair{"merge.dropped", fleet.dropped}, {"merge.late", fleet.late}}) {
    if (!fleet.privacy.secure || chance == 0.0) continue;
    reject(key, *cell.settings.find(key),
           "masks cancel where all that share them take part; set privacy.secure to false");
  }
  if (!cell.fleet.privacy.any() || merger.private_sums({}) > 0) return;
  const std::string_view key = cell.fleet.privacy.clip > 0.0 ? "privacy.clip" : "privacy.secure";
  reject(key, *cell.settings.find(key),
         cat("\"", cell.method,
             "\" as it is set here sees more of its robots than sums over them, as single robots' "
             "weights, losses or numbers of samples; private are \"average\" with weighted = false and \"regression\" "
             "with align = \"none\", body = \"average\" or \"regression\", head = \"labels\" and memory = false, "
             "both with merge.rounds_after = 0"));
}

/// Rejects that batch normalisation is measured anew where robots cannot say how, or may not.
void check_norms(const Cell& cell) {
  const Setting& setting = *cell.settings.find(kRenewNorms);
  if (!cell.facts.has_norms() || !std::get<bool>(setting.value.data)) return;
  if (cell.fleet.privacy.any()) {
    reject(kRenewNorms, setting,
           "robots would send means and variances of their layers' outputs, which nothing hides; with privacy.* set it "
           "to false");
  }
  if (cell.facts.offers.contains(Question::kMapMoments)) return;
  reject(kRenewNorms, setting,
         cat("this asks robots for map_moments, which those of workload \"", cell.workload,
             "\" do not answer; set it to false to keep the mean of their own"));
}

/// Rejects rounded weights where what rounding has lost cannot be kept, or sums have an arithmetic of their own.
void check_precision(const Cell& cell, const MergerNeeds& needs) {
  const Setting& setting = *cell.settings.find(kPrecision);
  if (setting.value == Value(std::string("float32"))) return;
  if (cell.fleet.privacy.any()) {
    reject(kPrecision, setting,
           "private sums are taken of robots' weights as they are; with privacy.* set it to \"float32\"");
  }
  const FleetOptions& fleet = cell.fleet;
  const bool misses = fleet.participants > 0 || fleet.participation < 1.0 || fleet.dropped > 0.0 || fleet.late > 0.0;
  if (misses && fleet.hand_back == FleetOptions::HandBack::kParticipants) {
    reject(kPrecision, setting,
           "robots send differences from the last merged policy, which who misses a merge does not get with "
           "merge.hand_back = \"participants\"; set it to \"float32\"");
  }
  if (needs.symmetry != GroupKind::kPermutation) {
    reject(kPrecision, setting,
           cat("what rounding loses belongs to a robot's own basis, and \"", cell.method,
               "\" mixes its units; set it to \"float32\""));
  }
}

/// Rejects what is to be merged of a network's tensors where it has none so named, and what goes with the whole alone.
void check_parameters(const Cell& cell, const MergerNeeds& needs, std::span<const std::string> names) {
  if (names.empty()) return;
  const auto complain = [&](std::string_view key, const std::string& why) {
    reject(key, *cell.settings.find(key), why);
  };
  constexpr std::string_view kKey = "merge.parameters";
  if (cell.facts.layout == nullptr) {
    complain(kKey, cat("the tensors of workload \"", cell.workload, "\" have no names; expected \"all\""));
  }
  if (const std::string why = complaint_about_parameters(names, *cell.facts.layout); !why.empty()) complain(kKey, why);
  if (needs.layers && !names_whole_map(cell.fleet.parameters, *cell.facts.layout, *cell.facts.maps)) {
    std::string first;
    for (const std::string& name : tensor_names(cell.facts.maps->front(), *cell.facts.layout)) {
      first += cat(first.empty() ? "" : ", ", name);
    }
    complain(kKey,
             cat("\"", cell.method, "\" merges whole layers, and these are parts of some; expected all tensors of ",
                 "a layer at least, such as \"", first, '"'));
  }
  const std::string rest = cat("while robots keep a part of their weights to themselves (", kKey, ")");
  if (needs.whole) complain("merge.method", cat("this cannot merge ", rest));
  if (cell.fleet.rounds_after > 0) complain("merge.rounds_after", cat("there are no rounds after a merge ", rest));
  if (cell.fleet.privacy.clip > 0.0) complain("privacy.clip", cat("there are no private sums ", rest));
  if (cell.fleet.privacy.any()) complain("privacy.secure", cat("there are no private sums ", rest));
  if (cell.fleet.moments == FleetOptions::Moments::kAverage)
    complain("merge.moments", cat("expected \"reset\" or \"keep\" ", rest));
  for (const auto& [key, wanted] : {std::pair{"instruments.norms", cell.instruments.norms},
                                    {"instruments.alignment", cell.instruments.alignment}}) {
    if (wanted) complain(key, cat("there is no one merged policy to measure ", rest));
  }
  if (cell.instruments.finetune_steps > 0) {
    complain("instruments.finetune_steps", cat("there is no one policy to finetune ", rest,
                                               "; instruments.personal_steps trains on what each keeps"));
  }
}

/// Rejects steps of robots that take none for others.
void check_personal(const Cell& cell) {
  if (cell.instruments.personal_steps == 0 || cell.facts.offers.contains(Question::kSteps)) return;
  constexpr std::string_view kKey = "instruments.personal_steps";
  reject(kKey, *cell.settings.find(kKey),
         cat("the robots of workload \"", cell.workload, "\" do not take short runs of training"));
}

/// Rejects finetuning of merged policies on data that are not there.
void check_held_out(const Cell& cell) {
  if (cell.instruments.finetune_steps == 0 || cell.facts.held_out) return;
  constexpr std::string_view kKey = "instruments.finetune_steps";
  reject(kKey, *cell.settings.find(kKey),
         cat("merged policies are finetuned on data that no robot trains on, and there are none; ",
             cell.workload == "external" ? "your program must hold some out (held_out)"
                                         : "set data.held_out, say to 0.1"));
}

/// Rejects short rounds of robots that may never have gathered any data.
void check_gathered(const Cell& cell) {
  const bool some = cell.fleet.trainees == FleetOptions::Trainees::kParticipants;
  if (!cell.facts.gathers || !some || cell.fleet.rounds_after == 0) return;
  constexpr std::string_view kKey = "merge.rounds_after";
  reject(kKey, *cell.settings.find(kKey),
         "expected 0 beside train.robots = \"participants\": robots that never took part have gathered no data");
}

/// Rejects a fleet that no machine holds.
void check_size(const Cell& cell) {
  const double each = 4.0 * static_cast<double>(cell.facts.parameters) + static_cast<double>(cell.facts.robot_bytes);
  const double bytes = each * cell.fleet.robots;
  if (bytes <= kLargestFleet) return;
  reject("fleet.robots", *cell.settings.find("fleet.robots"),
         cat("with ", each / 0x1p20, " MiB each of weights (", cell.facts.parameters,
             ") and data of their own they take ", bytes / 0x1p40, " TiB; a fleet may take ", kLargestFleet / 0x1p40));
}

}  // namespace

FleetOptions read_fleet_options(SettingsReader& settings) {
  FleetOptions options;
  settings.read("seed", options.seed, about::kSeed);
  settings.read("fleet.robots", options.robots, between(1, kMost), about::kRobots);
  settings.read("train.epochs", options.epochs, between(1, kMost), "Local epochs of each robot in all.");
  settings.read("train.robots", options.trainees, Names<FleetOptions::Trainees>(kTrainees),
                "Who trains in a round: all robots, or those alone who take part in its merge.");
  settings.read("merge.every_epochs", options.merge_every, between(0, kMost),
                "Local epochs between merges; 0: one merge, at the end.");
  read_participants(settings, options);
  settings.read("merge.hand_back", options.hand_back, Names<FleetOptions::HandBack>(kHandBack),
                "Who goes on from the merged policy: all robots, or those alone who took part.");
  settings.read("merge.moments", options.moments, Names<FleetOptions::Moments>(kMoments),
                "What becomes of the optimisers' moments after a merge.");
  settings.read("evaluate.every_rounds", options.test_every, between(0, kMost),
                "Merges between tests of the merged policy; the last one is always tested, with 0 it alone.");
  settings.read("evaluate.local", options.local_tests, Names<FleetOptions::LocalTests>(kLocalTests),
                "When the robots' own policies are tested.");
  read_target(settings, options);
  return options;
}

std::string read_method(const Settings& chosen, SettingsReader& reader, bool merging) {
  static constexpr std::string_view kKey = "merge.method";
  const auto written = chosen.find(kKey);
  if (written != chosen.end()) {
    const auto* name = std::get_if<std::string>(&written->second.value.data);
    for (const auto& [other, ours] : kOtherNames) {
      if (name != nullptr && plain(*name) == other)
        reject(kKey, written->second, cat("this is called \"", ours, "\" here"));
    }
  }
  std::vector<std::string_view> methods;
  for (const MergerEntry& entry : method_table()) {
    if (!merging || entry.regime == Regime::kMerge) methods.push_back(entry.name);
  }
  std::string method = "fleet-merge";
  reader.read(kKey, method, methods, "How policies are merged, or the reference line that stands in place of a merge.");
  return method;
}

std::string read_workload(SettingsReader& settings, std::span<const WorldEntry> table) {
  std::vector<std::string_view> names;
  for (const WorldEntry& entry : table) names.push_back(entry.name);
  std::string workload = "mnist";
  settings.read("workload", workload, names, "What is learned, and from which data.");
  return workload;
}

World& CellReader::world_of(const std::string& name) {
  const auto known = worlds_.find(name);
  if (known != worlds_.end()) return *known->second;
  const auto entry = std::find_if(table_.begin(), table_.end(), [&](const WorldEntry& e) { return e.name == name; });
  return *worlds_.emplace(name, entry->make()).first->second;
}

void CellReader::read(const Settings& chosen, Cell& cell) {
  SettingsReader reader(chosen);
  cell.fleet = read_fleet_options(reader);
  cell.instruments = read_instrument_options(reader);
  cell.method = read_method(chosen, reader);
  const MergerEntry& method = find_method(cell.method);
  const std::unique_ptr<Merger> merger = make_merger(method, reader, cell.fleet.rounds_after);
  std::vector<std::string> parameters;
  if (merger != nullptr) {
    cell.fleet.privacy = read_privacy(reader);
    parameters = read_parameters(reader);
    cell.fleet.parameters = parameter_patterns(parameters);
  }
  std::string looked_at;
  if (method.look != nullptr) {
    const Look& found = look(method, chosen);
    for (const auto& [key, setting] : found.resolved) reader.keep(key, setting.value);
    looked_at = found.content;
  }
  if (method.regime == Regime::kJoint) read_joint_options(reader, cell.fleet);

  cell.workload = read_workload(reader, table_);
  cell.facts = world_of(cell.workload).describe(reader);
  bool is_new = false;
  cell.settings = pool_.add(reader.resolved(), is_new);
  if (is_new) applied_.insert(reader.resolved().begin(), reader.resolved().end());
  ruled_out_.insert(reader.ruled_out().begin(), reader.ruled_out().end());
  check_size(cell);
  check_offers(cell, method.regime);
  if (merger != nullptr) {
    check_trials(cell, merger->needs());
    check_needs(cell, merger->needs());
    check_precision(cell, merger->needs());
    check_privacy(cell, *merger);
    check_norms(cell);
    check_parameters(cell, merger->needs(), parameters);
    check_personal(cell);
    check_gathered(cell);
    check_held_out(cell);
    cell.exchange = merger->needs().exchange;
    cell.sums_moments = merger->needs().asks.contains(Question::kMapMoments);
  }
  cell.id = identity(reader.resolved(), cell, looked_at);
  if (shares_training_) cell.training = training_of(reader.resolved(), cell);
}

const CellReader::Look& CellReader::look(const MergerEntry& method, const Settings& chosen) {
  const std::string options = cat("merge.", method.name, '.');
  std::string key(method.name);
  for (const auto& [name, setting] : chosen) {
    if (name.starts_with(options)) key += cat('\n', name, " = ", setting.value.to_string());
  }
  const auto known = looks_.find(key);
  if (known != looks_.end()) return known->second;
  SettingsReader reader(chosen);
  const std::string content = method.look(reader);
  return looks_.emplace(key, Look{content, reader.resolved()}).first->second;
}

std::string CellReader::identity(const Settings& resolved, const Cell& cell, const std::string& looked_at) {
  text_.clear();
  const auto rounds = resolved.find("merge.rounds_after");
  const bool has_rounds = rounds != resolved.end() && rounds->second.value != Value(std::int64_t{0});
  for (const auto& [key, setting] : resolved) {  // what decides it: not where the data lies or how the cell is run
    if (key.starts_with("run.") || std::ranges::count(cell.facts.data_keys, key) > 0) continue;
    if (key == kRenewNorms && !cell.facts.has_norms()) continue;                        // there are none
    if (key == kPrecision && setting.value == Value(std::string("float32"))) continue;  // as without this key
    if (key == kHeadIterations && setting.value == Value(std::int64_t{100})) continue;  // the same
    if (key == kAfterBody && (!has_rounds || setting.value == Value(std::string("average")))) continue;
    text_.append(key).append(" = ").append(setting.value.to_string()) += '\n';
  }
  Hash id;
  id.add(text_);
  if (!cell.facts.data.empty()) id.add(cell.facts.data);
  if (!looked_at.empty()) id.add(looked_at);
  // Axes are in whatever order they were written. Those that the cell reads are among its settings, where they count no
  // more than if they were no axes: a sweep that gets another axis keeps the cells that it has.
  std::vector<const AxisValues::value_type*> unread;
  for (const auto& axis : cell.axes) {
    if (!resolved.contains(axis.first)) unread.push_back(&axis);
  }
  std::ranges::sort(unread, {}, [](const auto* axis) -> const std::string& { return axis->first; });
  for (const auto* axis : unread) id.add(axis->first).add(axis->second.to_string());
  return id.hex();
}

void read_joint_options(SettingsReader& reader, FleetOptions& options) {
  reader.read("merge.joint.steps", options.joint_steps, Names<FleetOptions::JointSteps>(kJointSteps),
              "Gradient steps of joint training: as many as one robot makes, or as the whole fleet.");
}

}  // namespace fleet
