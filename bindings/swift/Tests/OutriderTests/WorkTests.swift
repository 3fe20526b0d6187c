// Taps of a day: a technician at a customer's, a sales person with a lead.

import Foundation
import Outrider
import XCTest

final class WorkTests: Scenario, @unchecked Sendable {
    func testVisitDay() async throws {
        let van = VanPosition(GeoPoint(latitude: 31.2304, longitude: 121.4737, accuracyM: 8, source: "gps"))
        let crm = try await open("Li", position: van)
        _ = try await crm.enrol(try await code("Li"))
        try await crm.sync()
        let me = try await crm.enrolment()?.userRecord
        let site = GeoPoint(latitude: 31.2305, longitude: 121.4738)
        let works = try await customer(crm, "浦东水厂", .geo(site))
        let seal = try await crm.create(.product([.name("密封圈 Seal 40 mm"), .unit("pc")]))
        let stock = try await crm.create(
            .stockLocation([.name("Van 沪A"), .locationKind("van"), .userId(me)])
        )
        let checks = VisitChecklistEdit(add: [
            [.name("Power off 断电"), .required(true)], [.name("Photo 拍照"), .required(false)],
        ])
        let visit = try await crm.create(
            .visit([
                .subject("Pump 3 泵检修"), .customerId(works), .status("scheduled"),
                .common(.ownerId(me)), .checklist(checks),
            ])
        )
        func read() async throws -> Visit {
            let found = try await crm.get(visit)?.visit
            return try XCTUnwrap(found)
        }

        let arrived = try await crm.checkIn(visit, .checkIn, note: VisitNote(note: "到达"))
        let check = try await crm.get(arrived)?.checkIn
        XCTAssertEqual([check?.event, check?.note], ["in", "到达"])
        XCTAssertEqual(check?.geo?.latitude, 31.2304)
        XCTAssertEqual(check?.visitId, visit)
        try await crm.checkIn(visit, .pause)
        try await crm.checkIn(visit, .resume)
        let status = try await read().status
        XCTAssertEqual(status, "in_progress")

        let done = VisitNote(position: site, outcome: "done", note: "完成")
        let early = await refused("Invalid") { try await crm.checkIn(visit, .checkOut, note: done) }
        XCTAssertEqual(early?.code, "checklist_left")
        let checklist = try await read().checklist
        let row = try XCTUnwrap(checklist.first { $0.required == true }).row
        let ticked = VisitChecklistRowEdit(row: row, changes: [.done(true), .doneAt(Date())])
        try await crm.update(visit, .visit([.checklist(VisitChecklistEdit(edit: [ticked]))]))

        await refused("Invalid") { try await crm.usePart(visit, PartUsed(product: seal, quantity: 0)) }
        let used = PartUsed(product: seal, quantity: 2, serialNo: "S-1")
        let move = try await crm.usePart(visit, used)
        let moved = try await crm.get(move)?.stockMove
        XCTAssertEqual(moved?.productId, seal)
        let parts = try await read().parts
        XCTAssertEqual(parts.map(\.qty), [2])
        XCTAssertEqual(parts.map(\.locationId), [stock])

        try await crm.checkIn(visit, .checkOut, note: done)
        let left = try await read()
        XCTAssertEqual([left.status, left.outcome], ["completed", "done"])
        XCTAssertEqual(left.computed["checklist_left"], .integer(0))
        let nobody = try await crm.drawId()
        await refused("NotFound") { try await crm.checkIn(nobody, .checkIn) }
        let report = try await crm.sync()
        XCTAssertEqual(report.refused, 0)
    }

    func testLeadAndActivity() async throws {
        let crm = try await device("Wang")
        let lead = try await crm.create(
            .lead([
                .name("三川实业"), .companyName("三川实业有限公司"), .status("new"),
                .contactName(PersonName(full: "王小明")), .phone("+86 512 6283 7719"),
                .expectedAmount(Money(amount: 80_000, currency: "CNY")),
            ])
        )
        let made = try await crm.convertLead(lead)
        let again = try await crm.convertLead(lead)
        XCTAssertEqual(made, again, "twice is once")
        let company = try await readCustomer(crm, made.customer)
        XCTAssertEqual(company.companyName, "三川实业有限公司")
        let contact = try await crm.get(made.contact)?.contact
        XCTAssertEqual(contact?.name?.full, "王小明")
        let opportunity = try await crm.get(made.opportunity)?.opportunity
        XCTAssertEqual(opportunity?.customerId, made.customer)
        XCTAssertEqual(opportunity?.expectedAmount?.amount, 80_000)
        let converted = try await crm.get(lead)?.lead?.convertedCustomerId
        XCTAssertEqual(converted, made.customer)
        await refused("Invalid") { try await crm.convertLead(made.customer) }

        let activity = try await crm.create(
            .activity([
                .subject("Call 回访"), .activityType("call"), .status("planned"), .customerId(made.customer),
            ])
        )
        let held = try await crm.completeActivity(activity, note: "客户要样品")
        let heldAgain = try await crm.completeActivity(activity)
        XCTAssertEqual(held, heldAgain)
        let interactions = try await crm.count(ListQuery(entity: "interaction"))
        XCTAssertEqual(interactions, 1)
        let status = try await crm.get(activity)?.activity?.status
        XCTAssertEqual(status, "held")
        let alone = try await crm.create(.activity([.subject("Buy paper"), .activityType("task")]))
        let nothing = try await crm.completeActivity(alone)
        XCTAssertNil(nothing)
        let nobody = try await crm.drawId()
        await refused("NotFound") { try await crm.completeActivity(nobody) }
        let report = try await crm.sync()
        XCTAssertEqual(report.refused, 0)
    }
}
