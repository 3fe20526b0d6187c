import Foundation
import Outrider

let folder = URL(fileURLWithPath: CommandLine.arguments[1])
// On a phone: KeychainSecrets(account: "crm")
let secrets = FileSecrets(folder.appendingPathComponent("key"))
let platform = Platform(secrets: secrets, transport: URLSessionTransport())
let crm = try await Crm.open(folder: folder.appendingPathComponent("records"), platform: platform)

let (url, code) = (CommandLine.arguments[2], CommandLine.arguments[3])
_ = try await crm.enrol(EnrolCode(url: url, code: code, deviceName: "My phone"))
let customer = try await crm.create(.customer([.companyName("三川实业"), .phone("+86 512 6283 7719")]))
try await crm.update(customer, .customer([.shortName("三川")]))
try await crm.sync()
for try await customers in crm.watch(ListQuery(entity: "customer", sort: "company_name")) {
    print(customers.compactMap { $0.customer?.companyName })
    break
}
