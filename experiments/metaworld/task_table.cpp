#include <cmath>

#include "metaworld/experts.hpp"
#include "metaworld/placement.hpp"
#include "metaworld/success.hpp"
#include "metaworld/task.hpp"

namespace fleet::metaworld {
namespace {

using Quaternion = ObservedObject::Quaternion;
using Goal = Randomisation::Goal;

constexpr Frame body(const char* name) {
  return {Frame::Kind::kBody, name};
}
constexpr Frame site(const char* name) {
  return {Frame::Kind::kSite, name};
}
constexpr Frame geom(const char* name) {
  return {Frame::Kind::kGeom, name};
}

using Objects = std::array<std::optional<ObservedObject>, 2>;

Objects turned_as(const Frame& position, const Frame& orientation, Quaternion quaternion, const Vec3& offset) {
  return {ObservedObject{position, offset, quaternion, orientation}, std::nullopt};
}
/// A position with the quaternion of a body, (w, x, y, z).
Objects as_body(const Frame& position, const char* orientation, const Vec3& offset = Vec3::Zero()) {
  return turned_as(position, body(orientation), Quaternion::kBody, offset);
}
/// A position with the quaternion of a rotation matrix, (x, y, z, w).
Objects as_matrix(const Frame& position, const Frame& orientation) {
  return turned_as(position, orientation, Quaternion::kMatrix, Vec3::Zero());
}
/// A position alone.
Objects unturned(const Frame& position, const Vec3& offset = Vec3::Zero()) {
  return turned_as(position, {}, Quaternion::kZero, offset);
}
Objects both(const Objects& first, const Objects& second) {
  return {first[0], second[0]};
}

const Vec3 kHigh(0, 0.6, 0.2);
const Vec3 kNear(0, 0.4, 0.2);
// The reference keeps some tasks' hand positions in single precision.
const Vec3 kHighSingle(0, 0.6F, 0.2F);
const Vec3 kNearSingle(0, 0.4F, 0.2F);
/// A box for the hand that goes lower than the usual one.
Vec3 lower(double z) {
  return {-0.5, 0.4, z};
}

std::vector<TaskSpec> make_table() {
  namespace place = placements;
  namespace expert = experts;
  using namespace measures;
  const Objects cube = as_matrix(body("obj"), geom("objGeom"));
  const Objects cube_geom = as_matrix(geom("objGeom"), geom("objGeom"));
  const Objects dial = {ObservedObject{body("dial"), Vec3::Zero(), Quaternion::kBody, body("dial"), 0.05},
                        std::nullopt};
  const Objects door_handle = as_matrix(geom("handle"), geom("handle"));
  const Objects mug = as_matrix(body("obj"), geom("mug"));
  const Objects puck = as_matrix(geom("puck"), geom("puck"));
  const Objects nut = as_body(site("RoundNut-8"), "RoundNut");
  const Objects stick = as_matrix(body("stick"), body("stick"));
  // clang-format off
  return {
    {.name = "assembly", .scene = "assembly_peg", .hand = kHighSingle,
     .randomisation = {{0, 0.6, 0.02}, {0, 0.6, 0.02}, Goal{{-0.1, 0.75, 0.1}, {0.1, 0.85, 0.1}, 0.1}},
     .place = place::assembly, .objects = nut, .success = {nut_round_peg, 0.02}, .expert = expert::assembly,
     .probe = site("RoundNut")},
    {.name = "basketball", .scene = "basketball", .hand = kHighSingle,
     .randomisation = {{-0.1, 0.6, 0.0299}, {0.1, 0.7, 0.0301}, Goal{{-0.1, 0.85, 0}, {0.1, 0.9 + 1e-7, 0}, 0.15}},
     .place = place::basketball, .objects = as_body(body("bsktball"), "bsktball"), .success = {ball_to_hoop, 0.08},
     .expert = expert::basketball},
    {.name = "bin-picking", .scene = "bin_picking", .hand = kHigh,
     .randomisation = {{-0.21, 0.65, 0.02}, {-0.03, 0.75, 0.02}, Goal{{0.1199, 0.699, -0.001}, {0.1201, 0.701, 0.001}}},
     .place = place::bin_picking, .objects = as_body(body("obj"), "obj"), .success = {distance, 0.05},
     .expert = expert::bin_picking,
     .hand_low = lower(0.07)},
    {.name = "box-close", .scene = "box", .hand = kHighSingle,
     .randomisation = {{-0.05, 0.5, 0.02}, {0.05, 0.55, 0.02}, Goal{{-0.1, 0.7, 0.133}, {0.1, 0.8, 0.133}, 0.25}},
     .place = place::box_close, .objects = as_body(body("top_link"), "top_link"), .success = {distance, 0.08},
     .expert = expert::box_close},
    {.name = "button-press-topdown", .scene = "button_press_topdown", .hand = kNearSingle,
     .randomisation = {{-0.1, 0.8, 0.115}, {0.1, 0.9, 0.115}},
     .place = place::button_press_topdown, .objects = as_body(body("button"), "button", {0, 0, 0.193}),
     .success = {along_z, 0.024}, .expert = expert::button_press_topdown},
    {.name = "button-press-topdown-wall", .scene = "button_press_topdown_wall", .hand = kNearSingle,
     .randomisation = {{-0.1, 0.8, 0.115}, {0.1, 0.9, 0.115}},
     .place = place::button_press_topdown, .objects = as_body(body("button"), "button", {0, 0, 0.193}),
     .success = {along_z, 0.024}, .expert = expert::button_press_topdown_wall},
    {.name = "button-press", .scene = "button_press", .hand = kNearSingle,
     .randomisation = {{-0.1, 0.85, 0.115}, {0.1, 0.9, 0.115}},
     .place = place::button_press, .objects = as_body(body("button"), "button", {0, -0.193, 0}),
     .success = {along_y, 0.02}, .expert = expert::button_press},
    {.name = "button-press-wall", .scene = "button_press_wall", .hand = kNearSingle,
     .randomisation = {{-0.05, 0.85, 0.1149}, {0.05, 0.9, 0.1151}},
     .place = place::button_press, .objects = as_body(body("button"), "button", {0, -0.193, 0}),
     .success = {along_y, 0.03}, .expert = expert::button_press_wall},
    {.name = "coffee-button", .scene = "coffee", .hand = kNear,
     .randomisation = {{-0.1, 0.8, -0.001}, {0.1, 0.9, 0.001}},
     .place = place::coffee_button, .objects = turned_as(site("buttonStart"), {}, Quaternion::kIdentity, Vec3::Zero()),
     .success = {along_y, 0.02}, .expert = expert::coffee_button},
    {.name = "coffee-pull", .scene = "coffee", .hand = kNear,
     .randomisation = {{-0.05, 0.7, -0.001}, {0.05, 0.75, 0.001}, Goal{{-0.1, 0.55, -0.001}, {0.1, 0.65, 0.001}, 0.15}},
     .place = place::coffee_pull, .objects = mug, .success = {distance, 0.07}, .expert = expert::coffee_pull},
    {.name = "coffee-push", .scene = "coffee", .hand = kNear,
     .randomisation = {{-0.1, 0.55, -0.001}, {0.1, 0.65, 0.001}, Goal{{-0.05, 0.7, -0.001}, {0.05, 0.75, 0.001}, 0.15}},
     .place = place::coffee_push, .objects = mug, .success = {distance, 0.07}, .expert = expert::coffee_push},
    {.name = "dial-turn", .scene = "dial", .hand = kHighSingle,
     .randomisation = {{-0.1, 0.7, 0}, {0.1, 0.8, 0}},
     .place = place::dial_turn, .objects = dial, .success = {distance, 0.07}, .expert = expert::dial_turn,
     .joint = "knob_Joint_1"},
    {.name = "disassemble", .scene = "assembly_peg", .hand = kNearSingle,
     .randomisation = {{0, 0.6, 0.025}, {0.1, 0.75, 0.02501}, Goal{{-0.1, 0.6, 0.1699}, {0.1, 0.75, 0.1701}, 0.1}},
     .place = place::disassemble, .objects = nut, .success = {nut_below_top, 0}, .expert = expert::disassemble},
    {.name = "door-close", .scene = "door_pull", .hand = {-0.5F, 0.6F, 0.2F},
     .randomisation = {{0, 0.85, 0.15}, {0.1, 0.95, 0.15}},
     .place = place::door_close, .objects = door_handle, .success = {distance, 0.08}, .expert = expert::door_close},
    {.name = "door-lock", .scene = "door_lock", .hand = kHighSingle,
     .randomisation = {{-0.1, 0.8, 0.15}, {0.1, 0.85, 0.15}},
     .place = place::door_lock, .objects = as_body(site("lockStartLock"), "door_link"), .success = {along_z, 0.02},
     .expert = expert::door_lock,
     .hand_low = lower(-0.15)},
    {.name = "door-open", .scene = "door_pull", .hand = kHigh,
     .randomisation = {{0, 0.85, 0.15}, {0.1, 0.95, 0.15}},
     .place = place::door_open, .objects = door_handle, .success = {along_x, 0.08}, .expert = expert::door_open},
    {.name = "door-unlock", .scene = "door_lock", .hand = kHighSingle,
     .randomisation = {{-0.1, 0.8, 0.15}, {0.1, 0.85, 0.15}},
     .place = place::door_unlock, .objects = as_body(site("lockStartUnlock"), "door_link"), .success = {along_x, 0.02},
     .expert = expert::door_unlock,
     .hand_low = lower(-0.15)},
    {.name = "hand-insert", .scene = "table_with_hole", .hand = kHighSingle,
     .randomisation = {{-0.1, 0.6, 0.05}, {0.1, 0.7, 0.05}, Goal{{-0.04, 0.8, -0.0201}, {0.04, 0.88, -0.0199}, 0.15}},
     .place = place::hand_insert, .objects = as_body(body("obj"), "obj"), .success = {distance, 0.05},
     .expert = expert::hand_insert,
     .hand_low = lower(-0.15)},
    {.name = "drawer-close", .scene = "drawer", .hand = kHighSingle,
     .randomisation = {{-0.1, 0.9, 0}, {0.1, 0.9, 0}},
     .place = place::drawer_close, .objects = unturned(body("drawer_link"), {0, -0.16, 0.05}),
     .success = {distance, 0.065}, .expert = expert::drawer_close},
    {.name = "drawer-open", .scene = "drawer", .hand = kHighSingle,
     .randomisation = {{-0.1, 0.9, 0}, {0.1, 0.9, 0}},
     .place = place::drawer_open, .objects = as_body(body("drawer_link"), "drawer_link", {0, -0.16, 0}),
     .success = {distance, 0.03}, .expert = expert::drawer_open},
    {.name = "faucet-open", .scene = "faucet", .hand = kNear,
     .randomisation = {{-0.05, 0.8, 0}, {0.05, 0.85, 0}},
     .place = place::faucet_open, .objects = as_body(site("handleStartOpen"), "faucetBase", {0, 0, -0.01}),
     .success = {faucet_opened, 0.07}, .expert = expert::faucet_open,
     .hand_low = lower(-0.15)},
    {.name = "faucet-close", .scene = "faucet", .hand = kNear,
     .randomisation = {{-0.1, 0.8, 0}, {0.1, 0.85, 0}},
     .place = place::faucet_close, .objects = as_body(site("handleStartClose"), "faucetBase", {0, 0, -0.01}),
     .success = {distance, 0.07}, .expert = expert::faucet_close,
     .hand_low = lower(-0.15)},
    {.name = "hammer", .scene = "hammer", .hand = kNear,
     .randomisation = {{-0.1, 0.4, 0}, {0.1, 0.5, 0}},
     .place = place::hammer,
      .objects = both(as_body(body("hammer"), "hammer"), as_body(body("nail_link"), "nail_link")),
     .success = {nail_left, -0.09}, .expert = expert::hammer,
     .joint = "NailSlideJoint"},
    {.name = "handle-press-side", .scene = "handle_press_sideways", .hand = kHigh,
     .randomisation = {{-0.35, 0.65, -0.001}, {-0.25, 0.75, 0.001}},
     .place = place::handle_press, .objects = unturned(site("handleStart")), .success = {along_z, 0.02},
     .expert = expert::handle_press_side},
    {.name = "handle-press", .scene = "handle_press", .hand = kHigh,
     .randomisation = {{-0.1, 0.8, -0.001}, {0.1, 0.9, 0.001}},
     .place = place::handle_press, .objects = unturned(site("handleStart")), .success = {along_z, 0.02},
     .expert = expert::handle_press,
     .goal_low_z = 0.04, .goal_high_z = 0.08},
    {.name = "handle-pull-side", .scene = "handle_press_sideways", .hand = kHigh,
     .randomisation = {{-0.35, 0.65, 0}, {-0.25, 0.75, 0}},
     .place = place::handle_pull, .objects = unturned(site("handleCenter")), .success = {distance, 0.08},
     .expert = expert::handle_pull_side},
    {.name = "handle-pull", .scene = "handle_press", .hand = kHigh,
     .randomisation = {{-0.1, 0.8, -0.001}, {0.1, 0.9, 0.001}},
     .place = place::handle_pull, .objects = unturned(site("handleRight")), .success = {along_z, 0.05},
     .expert = expert::handle_pull,
     .goal_low_z = 0.04, .goal_high_z = 0.18},
    {.name = "lever-pull", .scene = "lever_pull", .hand = kNearSingle,
     .randomisation = {{-0.1, 0.7, 0}, {0.1, 0.8, 0}},
     .place = place::lever_pull, .objects = as_matrix(site("leverStart"), geom("objGeom")),
     .success = {lever_angle, M_PI / 24}, .expert = expert::lever_pull,
     .hand_low = lower(-0.15), .joint = "LeverAxis"},
    {.name = "pick-place-wall", .scene = "pick_place_wall_v3", .hand = kHigh,
     .randomisation = {{-0.05, 0.6, 0.015}, {0.05, 0.65, 0.015}, Goal{{-0.05, 0.85, 0.05}, {0.05, 0.9, 0.3}, 0.15}},
     .place = place::object_as_drawn, .objects = cube_geom, .success = {distance, 0.07},
     .expert = expert::pick_place_wall},
    {.name = "pick-out-of-hole", .scene = "pick_out_of_hole", .hand = kHigh,
     .randomisation = {{0, 0.75, 0.02}, {0, 0.75, 0.02}, Goal{{-0.1, 0.5, 0.15}, {0.1, 0.6, 0.3}, 0.15}},
     .place = place::object_as_drawn, .objects = as_body(body("obj"), "obj"), .success = {distance, 0.07},
     .expert = expert::pick_out_of_hole,
     .hand_low = lower(-0.05)},
    {.name = "pick-place", .scene = "pick_place_v3", .hand = kHigh,
     .randomisation = {{-0.1, 0.6, 0.02}, {0.1, 0.7, 0.02}, Goal{{-0.1, 0.8, 0.05}, {0.1, 0.9, 0.3}, 0.15}},
     .place = place::object_as_drawn, .objects = cube, .success = {distance, 0.07}, .expert = expert::pick_place},
    {.name = "plate-slide", .scene = "plate_slide", .hand = kHighSingle,
     .randomisation = {{0, 0.6, 0}, {0, 0.6, 0}, Goal{{-0.1, 0.85, 0}, {0.1, 0.9, 0}}},
     .place = place::plate_slide, .objects = puck, .success = {distance, 0.07}, .expert = expert::plate_slide},
    {.name = "plate-slide-side", .scene = "plate_slide_sideway", .hand = kHighSingle,
     .randomisation = {{0, 0.6, 0}, {0, 0.6, 0}, Goal{{-0.3, 0.54, 0}, {-0.25, 0.66, 0}}},
     .place = place::plate_slide_side, .objects = puck, .success = {distance, 0.07},
     .expert = expert::plate_slide_side},
    {.name = "plate-slide-back", .scene = "plate_slide", .hand = kHighSingle,
     .randomisation = {{0, 0.85, 0}, {0, 0.85, 0}, Goal{{-0.1, 0.6, 0.015}, {0.1, 0.6, 0.015}}},
     .place = place::plate_slide_back, .objects = puck, .success = {distance, 0.07},
     .expert = expert::plate_slide_back},
    {.name = "plate-slide-back-side", .scene = "plate_slide_sideway", .hand = kHighSingle,
     .randomisation = {{-0.25, 0.6, 0}, {-0.25, 0.6, 0}, Goal{{-0.05, 0.6, 0.015}, {0.15, 0.6, 0.015}}},
     .place = place::plate_slide_back_side, .objects = puck, .success = {distance, 0.07},
     .expert = expert::plate_slide_back_side},
    {.name = "peg-insert-side", .scene = "peg_insertion_side", .hand = kHigh,
     .randomisation = {{0, 0.5, 0.02}, {0.2, 0.7, 0.02}, Goal{{-0.35, 0.4, -0.001}, {-0.25, 0.7, 0.001}, 0.1}},
     .place = place::peg_insert_side, .objects = as_matrix(site("pegGrasp"), site("pegGrasp")),
     .success = {peg_head_to_hole, 0.07}, .expert = expert::peg_insert_side,
     .probe = site("pegHead")},
    {.name = "peg-unplug-side", .scene = "peg_unplug_side", .hand = kHigh,
     .randomisation = {{-0.25, 0.6, -0.001}, {-0.15, 0.8, 0.001}},
     .place = place::peg_unplug_side, .objects = as_body(site("pegEnd"), "plug1"), .success = {distance, 0.07},
     .expert = expert::peg_unplug_side},
    {.name = "soccer", .scene = "soccer", .hand = kHigh,
     .randomisation = {{-0.1, 0.6, 0.03}, {0.1, 0.7, 0.03}, Goal{{-0.1, 0.8, 0}, {0.1, 0.9, 0}, 0.15}},
     .place = place::soccer, .objects = as_matrix(body("soccer_ball"), body("soccer_ball")),
     .success = {distance, 0.07}, .expert = expert::soccer},
    {.name = "stick-push", .scene = "stick_obj", .hand = kHigh,
     .randomisation = {{-0.08, 0.58, 0}, {-0.03, 0.62, 0.001}, Goal{{0.399, 0.55, 0.1319}, {0.401, 0.6, 0.1321}, 0.1}},
     .place = place::stick_push, .objects = both(stick, unturned(site("insertion"), {0, 0.09, 0})),
     .success = {thermos_pushed, 0.12}, .expert = expert::stick_push,
     .grasped = "objGeom"},
    {.name = "stick-pull", .scene = "stick_obj", .hand = kHigh,
     .randomisation = {{-0.1, 0.55, 0}, {0, 0.65, 0.001}, Goal{{0.35, 0.45, 0.0199}, {0.45, 0.55, 0.0201}, 0.1}},
     .place = place::stick_pull, .objects = both(stick, unturned(site("insertion"))), .success = {thermos_pulled, 0.12},
     .expert = expert::stick_pull,
     .hand_low = {-0.5, 0.35, 0.05}, .probe = site("stick_end")},
    {.name = "push", .scene = "push_v3", .hand = kHigh,
     .randomisation = {{-0.1, 0.6, 0.02}, {0.1, 0.7, 0.02}, Goal{{-0.1, 0.8, 0.01}, {0.1, 0.9, 0.02}, 0.15}},
     .place = place::push, .objects = cube, .success = {distance, 0.05}, .expert = expert::push,
     .goal_low_z = 0.01, .goal_high_z = 0.02},
    {.name = "push-wall", .scene = "push_wall_v3", .hand = kHigh,
     .randomisation = {{-0.05, 0.6, 0.015}, {0.05, 0.65, 0.015}, Goal{{-0.05, 0.85, 0.01}, {0.05, 0.9, 0.02}, 0.15}},
     .place = place::object_on_table, .objects = cube_geom, .success = {distance, 0.07}, .expert = expert::push_wall,
     .goal_low_z = 0.01, .goal_high_z = 0.02},
    {.name = "push-back", .scene = "push_back_v3", .hand = kHighSingle,
     .randomisation = {{-0.1, 0.8, 0.02}, {0.1, 0.85, 0.02}, Goal{{-0.1, 0.6, 0.0199}, {0.1, 0.7, 0.0201}, 0.15}},
     .place = place::object_on_table, .objects = cube_geom, .success = {distance, 0.07}, .expert = expert::push_back,
     .goal_low_z = 0.0199, .goal_high_z = 0.0201},
    {.name = "reach", .scene = "reach_v3", .hand = kHigh,
     .randomisation = {{-0.1, 0.6, 0.02}, {0.1, 0.7, 0.02}, Goal{{-0.1, 0.8, 0.05}, {0.1, 0.9, 0.3}, 0.15}},
     .place = place::object_as_drawn, .objects = cube, .success = {fingers_distance, 0.05}, .expert = expert::reach},
    {.name = "reach-wall", .scene = "reach_wall_v3", .hand = kHigh,
     .randomisation = {{-0.05, 0.6, 0.015}, {0.05, 0.65, 0.015}, Goal{{-0.05, 0.85, 0.05}, {0.05, 0.9, 0.3}, 0.15}},
     .place = place::object_as_drawn, .objects = cube, .success = {fingers_distance, 0.05},
     .expert = expert::reach_wall},
    {.name = "shelf-place", .scene = "shelf_placing", .hand = kHighSingle,
     .randomisation = {{-0.1, 0.5, 0.019}, {0.1, 0.6, 0.021}, Goal{{-0.1, 0.8, 0.299}, {0.1, 0.9, 0.301}, 0.1}},
     .place = place::shelf_place, .objects = cube, .success = {distance, 0.07}, .expert = expert::shelf_place},
    {.name = "sweep-into", .scene = "table_with_hole", .hand = kHigh,
     .randomisation = {{-0.1, 0.6, 0.02}, {0.1, 0.7, 0.02},
                        Goal{{-0.001, 0.8399, 0.0199}, {0.001, 0.8401, 0.0201}, 0.15},
                        Vec3(0, 0.84, 0)},
     .place = place::sweep_into, .objects = cube, .success = {horizontal, 0.05}, .expert = expert::sweep_into},
    {.name = "sweep", .scene = "sweep_v3", .hand = kHigh,
     .randomisation = {{-0.1, 0.6, 0.02}, {0.1, 0.7, 0.02}},
     .place = place::sweep, .objects = as_body(body("obj"), "obj"), .success = {distance, 0.05},
     .expert = expert::sweep},
    {.name = "window-open", .scene = "window_horizontal", .hand = kNearSingle,
     .randomisation = {{-0.1, 0.7, 0.16}, {0.1, 0.9, 0.16}},
     .place = place::window_open, .objects = unturned(site("handleOpenStart")), .success = {along_x, 0.05},
     .expert = expert::window_open},
    {.name = "window-close", .scene = "window_horizontal", .hand = kNearSingle,
     .randomisation = {{0, 0.75, 0.2}, {0, 0.9, 0.2}},
     .place = place::window_close, .objects = unturned(site("handleCloseStart")), .success = {along_x, 0.05},
     .expert = expert::window_close},
  };
  // clang-format on
}

}  // namespace

std::span<const TaskSpec> task_table() {
  static const std::vector<TaskSpec> kTable = make_table();
  return kTable;
}

}  // namespace fleet::metaworld
